/**
 * What coalesced readings are made of. A sum stands at the sequence of its first part and holds people of
 * later ones, which another batch than its own may range over: HQ is told which, so that it knows of
 * each sequence whether it has its people. And a sum can be taken apart again, should HQ turn out to
 * have some of its parts: from a life of this buffer whose disk was put back from an older image.
 * Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { type CountRow, sum_span_max, sumOf } from './coalesce.ts';
import { holds, type Range } from './range.ts';
import { receivedColumn } from './reading-rows.ts';
import type { Connection } from './schema.ts';
import { type Part, packParts, unpackParts } from './sum-parts.ts';

interface SumRow {
  readonly sequence: number;
  readonly parts: Buffer;
}

/** How the sums of a batch reach over its range, see shared/wire/batch.ts. */
export interface Overlap {
  readonly absent: readonly number[];
  readonly included: readonly number[];
}

export class Sums {
  readonly #save: Statement<unknown[]>;
  readonly #remove: Statement<unknown[]>;
  readonly #forget: Statement<unknown[]>;
  readonly #between: Statement<unknown[]>;
  readonly #row: Statement<unknown[]>;
  readonly #move: Statement<unknown[]>;

  constructor(connection: Connection) {
    this.#save = connection.prepare('INSERT OR REPLACE INTO sums VALUES (?, ?)');
    this.#remove = connection.prepare('DELETE FROM sums WHERE sequence = ?');
    this.#forget = connection.prepare('DELETE FROM sums WHERE sequence <= ?');
    this.#between = connection.prepare(
      'SELECT * FROM sums WHERE sequence BETWEEN ? AND ? ORDER BY sequence',
    );
    this.#row = connection.prepare('SELECT * FROM readings WHERE sequence = ?');
    this.#move = connection.prepare(
      `UPDATE readings SET sequence = @sequence, observed_at = @observed_at,
         interval_s = @interval_s, in_count = @in_count, out_count = @out_count, received = @received
       WHERE sequence = @before`,
    );
  }

  /** @param parts the rows as they were, in the order of their times. */
  save(sequence: number, parts: readonly CountRow[]): void {
    this.#save.run(sequence, packParts(parts));
  }

  remove(sequence: number): void {
    this.#remove.run(sequence);
  }

  /** Rows up to here are gone. A sum stays while a batch after them has still to leave its parts out. */
  forget(last_sequence: number): void {
    this.#forget.run(last_sequence - sum_span_max);
  }

  /**
   * Rows before `oldest` are gone, and HQ has `lost` some that were sums: no batch leaves their parts out
   * for them any more.
   *
   * @returns how many of those parts come later.
   */
  giveUp(lost: readonly Range[], oldest: number): number {
    const near = { first_sequence: oldest - sum_span_max, last_sequence: oldest - 1 };
    const gone = this.#in(near).filter(({ sequence }) => holds(lost, sequence));
    for (const { sequence } of gone) this.#remove.run(sequence);
    const parts = gone.flatMap((sum) => unpackParts(sum.parts));
    return parts.filter(({ sequence }) => sequence >= oldest && holds(lost, sequence)).length;
  }

  overlap({ first_sequence, last_sequence }: Range): Overlap {
    const absent: number[] = [];
    const included: number[] = [];
    for (const sum of this.#in({ first_sequence: first_sequence - sum_span_max, last_sequence })) {
      for (const { sequence } of unpackParts(sum.parts)) {
        const isInside = first_sequence <= sequence && sequence <= last_sequence;
        if (sum.sequence < first_sequence && isInside) absent.push(sequence);
        if (sum.sequence >= first_sequence && !isInside) included.push(sequence);
      }
    }
    return { absent, included };
  }

  /** Takes out of the sums in `bounds` whatever part of them is in `known`, unless all of it is. */
  takeApart(known: readonly Range[], bounds: Range): void {
    const { first_sequence, last_sequence } = bounds;
    for (const sum of this.#in({ first_sequence: first_sequence - sum_span_max, last_sequence })) {
      const parts = unpackParts(sum.parts);
      const left = parts.filter(({ sequence }) => !holds(known, sequence));
      if (left.length > 0 && left.length < parts.length) this.#reduce(sum.sequence, left);
    }
  }

  #in({ first_sequence, last_sequence }: Range): SumRow[] {
    return this.#between.all(first_sequence, last_sequence) as SumRow[];
  }

  /** The row goes to where its first part is now: its own sequence is HQ's, or a part's. */
  #reduce(before: number, left: readonly Part[]): void {
    const row = this.#row.get(before) as CountRow | undefined;
    if (row === undefined) return;
    const rows = left.map((part) => ({ ...row, ...part }));
    const sum = rows.reduce(sumOf);
    this.#move.run({ ...sum, before, received: receivedColumn(sum) });
    this.#remove.run(before);
    if (rows.length > 1) this.save(sum.sequence, rows);
  }
}
