/**
 * Which process appended which part of the log. Each has an epoch of its own, so of two lives that an
 * old image of a disk gives one buffer, no two readings have the same epoch and sequence, and HQ's
 * memory of a sequence is never that of another reading. Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { epochs_max } from '../../shared/wire/heartbeat-limits.ts';
import type { EpochRange } from './entry.ts';
import type { Range } from './range.ts';
import type { Connection } from './schema.ts';

interface EpochStart {
  readonly first_sequence: number;
  readonly epoch: string;
}

export class Epochs {
  readonly #read: Statement<unknown[]>;
  readonly #begin: Statement<unknown[]>;
  readonly #forget: Statement<unknown[]>;
  /** The process's own, whether it has appended or not. */
  readonly present: string;
  /** Oldest first. */
  #starts: EpochStart[] = [];

  constructor(connection: Connection) {
    this.#read = connection.prepare('SELECT * FROM epochs ORDER BY first_sequence');
    this.#begin = connection.prepare('INSERT OR REPLACE INTO epochs VALUES (?, ?)');
    this.#forget = connection.prepare('DELETE FROM epochs WHERE first_sequence < ?');
    this.present = connection.prepare('SELECT epoch FROM life').pluck().get() as string;
    this.reload();
  }

  /** Takes what is on disk for true: at start, and after a transaction that failed. */
  reload(): void {
    this.#starts = this.#read.all() as EpochStart[];
  }

  /** Before the process's first reading. Run in its transaction. */
  begin(next_sequence: number): void {
    if (this.#starts.at(-1)?.epoch === this.present) return;
    this.#begin.run(next_sequence, this.present);
    this.reload();
  }

  /** The part of the log around a sequence; the present one goes on without end. */
  around(sequence: number): EpochRange {
    const after = this.#starts.findIndex(({ first_sequence }) => first_sequence > sequence);
    const start = after === -1 ? this.#starts.at(-1) : this.#starts[after - 1];
    const next = after === -1 ? undefined : this.#starts[after];
    const last_sequence = (next?.first_sequence ?? Number.MAX_SAFE_INTEGER) - 1;
    return { first_sequence: 1, epoch: this.present, ...start, last_sequence };
  }

  /** The process that came last has taken all sequences before. */
  get begun_at(): number {
    return this.#starts.at(-1)?.first_sequence ?? 1;
  }

  /** What HQ is told of: the newest, oldest first, and last the present one, be it empty. */
  list(newest: number): EpochRange[] {
    const told = this.#starts.map(({ epoch, first_sequence }, at) => {
      const next = this.#starts[at + 1];
      const last_sequence = next === undefined ? newest : next.first_sequence - 1;
      return { epoch, first_sequence, last_sequence };
    });
    if (told.at(-1)?.epoch !== this.present) {
      told.push({ epoch: this.present, first_sequence: newest + 1, last_sequence: newest });
    }
    return told.slice(-epochs_max);
  }

  /** Rows before `oldest` are gone: epochs that have no other are too. */
  forget(oldest: number): void {
    const { first_sequence } = this.around(oldest);
    if ((this.#starts[0]?.first_sequence ?? first_sequence) >= first_sequence) return;
    this.#forget.run(first_sequence);
    this.reload();
  }
}

/** The part of a range that is one epoch's. */
export function cut({ first_sequence, last_sequence }: Range, around: Range): Range {
  return {
    first_sequence: Math.max(first_sequence, around.first_sequence),
    last_sequence: Math.min(last_sequence, around.last_sequence),
  };
}
