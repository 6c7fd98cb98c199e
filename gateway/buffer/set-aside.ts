/**
 * Which parts of the log are still in damaged files that were set aside. Each is a range of sequences that
 * keeps its place: delivery holds it as a batch that nobody sends, so that nothing overtakes it and
 * nothing of it is forgotten. What each file cannot give any more is added up beside it.
 */
import type { Statement } from 'better-sqlite3';
import type { Range } from './range.ts';
import type { Connection } from './schema.ts';

/** Made with the file that takes a damaged one's place; programs that know none do without. */
const table = `
CREATE TABLE IF NOT EXISTS set_aside (
  file TEXT PRIMARY KEY,
  epoch TEXT NOT NULL,
  settled_sequence INTEGER NOT NULL,
  merged INTEGER,
  missing INTEGER NOT NULL DEFAULT 0,
  unread INTEGER NOT NULL DEFAULT 0,
  ranges TEXT NOT NULL DEFAULT '[]'
) STRICT`;

/** A damaged file, and what is known of it. */
export interface SetAside {
  /** Its name, in the folder of the buffer. */
  readonly file: string;
  readonly epoch: string;
  /** HQ had everything up to here: what is missing of that is not lost. */
  readonly settled_sequence: number;
  /** Sequences beyond that never had a row of their own; null: nobody knows. */
  readonly merged: number | null;
}

/** Of what HQ did not have. */
export interface Tally {
  /** Sequences without a row. */
  readonly missing: number;
  /** Of them, those where reading failed. */
  readonly unread: number;
  /** Which they are, as far as anybody wants to read. */
  readonly ranges: readonly Range[];
}

/** Id of the batch that holds a part of a file. No batch of the lanes has such a one. */
export function partId(file: string, first_sequence: number): string {
  return `${file}@${first_sequence}`;
}

/** Whether a batch is a part of a file that is set aside. */
export function isPart({ batch_id }: { readonly batch_id: string }): boolean {
  return batch_id.includes('@');
}

export function fileOf(batch_id: string): string {
  return batch_id.slice(0, batch_id.lastIndexOf('@'));
}

export class SetAsideFiles {
  readonly #connection: Connection;
  readonly #read: Statement<unknown[]>;
  readonly #count: Statement<unknown[]>;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#read = connection.prepare('SELECT * FROM set_aside WHERE file = ?');
    this.#count = connection.prepare(
      'UPDATE set_aside SET missing = @missing, unread = @unread, ranges = @ranges WHERE file = @file',
    );
  }

  /** @returns null where the file took no other's place. */
  static in(connection: Connection): SetAsideFiles | null {
    const named = "SELECT count(*) FROM sqlite_schema WHERE name = 'set_aside'";
    const has = connection.prepare(named).pluck().get() === 1;
    return has ? new SetAsideFiles(connection) : null;
  }

  static create(connection: Connection): SetAsideFiles {
    connection.exec(table);
    return new SetAsideFiles(connection);
  }

  /** The file whose place this one takes or took. */
  get newest(): string | null {
    const name = this.#connection.prepare('SELECT file FROM set_aside ORDER BY rowid DESC LIMIT 1');
    return (name.pluck().get() as string | undefined) ?? null;
  }

  add({ file, epoch, settled_sequence, merged }: SetAside, tally?: Tally): void {
    this.#connection
      .prepare('INSERT INTO set_aside (file, epoch, settled_sequence, merged) VALUES (?, ?, ?, ?)')
      .run(file, epoch, settled_sequence, merged);
    if (tally !== undefined) this.count(file, tally);
  }

  of(file: string): SetAside & Tally {
    const row = this.#read.get(file) as SetAside & Omit<Tally, 'ranges'> & { ranges: string };
    return { ...row, ranges: JSON.parse(row.ranges) as Range[] };
  }

  list(): (SetAside & Tally)[] {
    const files = this.#connection.prepare('SELECT file FROM set_aside ORDER BY rowid').pluck();
    return (files.all() as string[]).map((file) => this.of(file));
  }

  count(file: string, { missing, unread, ranges }: Tally): void {
    this.#count.run({ file, missing, unread, ranges: JSON.stringify(ranges) });
  }

  /** Everything that could be read of it is in the log. */
  done(file: string): void {
    this.#connection.prepare('DELETE FROM set_aside WHERE file = ?').run(file);
  }
}
