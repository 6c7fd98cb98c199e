/**
 * Keeps the buffer below its quota. Near it, the oldest readings that were never sent are added together,
 * quarter hour by quarter hour; when nothing is left to add, nothing more is taken, so nobody
 * acknowledges what would not be kept. Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { type CountRow, coalesce, type Sum } from './coalesce.ts';
import type { Delivery } from './delivery.ts';
import { receivedColumn } from './reading-rows.ts';
import type { Connection } from './schema.ts';
import type { Sums } from './sums.ts';

interface QuotaLimits {
  /** What the buffer may hold, bytes; the journal comes on top. */
  readonly quota_bytes: number;
  /** The newest readings stay as they are: a restart finds in them which messages were counted. */
  readonly rows_kept: number;
}

/** What the file may hold. */
export interface LogLimits extends QuotaLimits {
  /** Of records that came before the clock was set. */
  readonly undated_bytes: number;
  /** Delivered readings that stay while there is room. */
  readonly delivered_rows: number;
}

/** Near the quota: room is made in time, not while sensors wait. */
const near_share = 0.9;
/** Looked at in one step, some 10 ms on store hardware. */
const rows_a_step = 5_000;
/** More than a batch has, so that they never gather. */
const rows_forgotten_a_step = 20_000;
/** Steps of a commit at the quota; whoever waits is tried again a second later. */
const steps_max = 10;

export class Quota {
  readonly #connection: Connection;
  readonly #delivery: Delivery;
  readonly #sums: Sums;
  readonly #limits: QuotaLimits;
  readonly #statements: ReturnType<typeof prepareAll>;

  constructor(
    connection: Connection,
    { delivery, sums }: { delivery: Delivery; sums: Sums },
    limits: QuotaLimits,
  ) {
    this.#connection = connection;
    this.#delivery = delivery;
    this.#sums = sums;
    this.#limits = limits;
    this.#statements = prepareAll(connection);
  }

  /** Readings that were added to others so far. */
  get coalesced(): number {
    return this.#statements.coalesced.get() as number;
  }

  /**
   * One step when the quota is near, several when it is reached. Run it outside a transaction.
   *
   * @throws FootbridgeError buffer_quota while there is no room.
   */
  makeRoom(newest: number): void {
    const { quota_bytes } = this.#limits;
    if (!this.isNear) return;
    for (let step = 0; step < steps_max; step += 1) {
      const until = newest - this.#limits.rows_kept;
      // What HQ has goes before anything is added together.
      const isLeft = this.forget(until) || this.#step(until);
      if (this.used_bytes < quota_bytes) return;
      if (!isLeft) break;
    }
    const text = `${this.used_bytes} of ${quota_bytes} bytes`;
    throw new FootbridgeError('buffer_quota', text);
  }

  get isNear(): boolean {
    return this.used_bytes >= this.#limits.quota_bytes * near_share;
  }

  get quota_bytes(): number {
    return this.#limits.quota_bytes;
  }

  /** Deleted rows leave pages that are used again, so the file's size says less. */
  get used_bytes(): number {
    const number = (name: string) => this.#connection.pragma(name, { simple: true }) as number;
    return (number('page_count') - number('freelist_count')) * number('page_size');
  }

  /** Pages of deleted rows, bytes. */
  get reusable_bytes(): number {
    const number = (name: string) => this.#connection.pragma(name, { simple: true }) as number;
    return number('freelist_count') * number('page_size');
  }

  /**
   * Deletes what HQ has, the oldest first, as much as holds up nobody: where the mark leaps, or fewer
   * are to be kept than before, millions may have to go.
   *
   * @returns whether there was some.
   */
  forget(until: number): boolean {
    const last = Math.min(until, this.#delivery.settled_sequence);
    if (this.#statements.forget.run(last, rows_forgotten_a_step).changes === 0) return false;
    this.#sums.forget(last);
    return true;
  }

  /** @returns whether readings are left to look at. */
  #step(until: number): boolean {
    const after = this.#statements.cursor.get() as number;
    const range = this.#delivery.neverSent(after + 1, until);
    if (range === null) return false;
    const rows = this.#statements.rows.all(
      range.first_sequence,
      range.last_sequence,
      rows_a_step,
    ) as (CountRow & { region: number | null })[];
    const reached = rows.length < rows_a_step ? range.last_sequence : rows.at(-1)?.sequence;
    const sums = coalesce(rows.filter(({ region }) => region === null));
    const removed = sums.reduce((sum, { parts }) => sum + parts.length - 1, 0);
    this.#connection.transaction(() => {
      for (const sum of sums) this.#replace(sum);
      this.#statements.moveCursor.run(reached, removed);
      if (removed > 0) this.#delivery.merged(removed);
    })();
    return true;
  }

  #replace({ row, parts }: Sum): void {
    for (const { sequence } of parts) {
      if (sequence !== row.sequence) this.#statements.remove.run(sequence);
    }
    this.#statements.merge.run({ ...row, received: receivedColumn(row) });
    this.#sums.save(row.sequence, parts);
  }
}

function prepareAll(connection: Connection) {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    coalesced: prepare('SELECT coalesced FROM life').pluck(),
    cursor: prepare('SELECT coalesced_sequence FROM life').pluck(),
    moveCursor: prepare('UPDATE life SET coalesced_sequence = ?, coalesced = coalesced + ?'),
    rows: prepare(
      'SELECT * FROM readings WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?',
    ),
    forget: prepare(
      `DELETE FROM readings WHERE sequence IN
         (SELECT sequence FROM readings WHERE sequence <= ? ORDER BY sequence LIMIT ?)`,
    ),
    remove: prepare('DELETE FROM readings WHERE sequence = ?'),
    merge: prepare(
      `UPDATE readings SET observed_at = @observed_at, interval_s = @interval_s,
         in_count = @in_count, out_count = @out_count, received = @received, flags = @flags,
         dedupe_key = NULL, message_key = NULL
       WHERE sequence = @sequence`,
    ),
  };
}
