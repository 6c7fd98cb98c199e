/**
 * Parts of the log that a batch once held and holds no more: HQ may know their readings, so none of them
 * is ever changed. Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import type { Range } from './range.ts';
import type { Connection } from './schema.ts';

export class Offered {
  readonly #add: Statement<unknown[]>;
  readonly #forget: Statement<unknown[]>;
  readonly #list: Statement<unknown[]>;

  constructor(connection: Connection) {
    this.#add = connection.prepare(
      `INSERT INTO offered VALUES (?, ?) ON CONFLICT DO UPDATE
       SET last_sequence = max(last_sequence, excluded.last_sequence)`,
    );
    this.#forget = connection.prepare('DELETE FROM offered WHERE last_sequence <= ?');
    this.#list = connection.prepare('SELECT * FROM offered ORDER BY first_sequence');
  }

  add({ first_sequence, last_sequence }: Range): void {
    if (last_sequence >= first_sequence) this.#add.run(first_sequence, last_sequence);
  }

  /** HQ has settled all up to here. */
  forget(settled_sequence: number): void {
    this.#forget.run(settled_sequence);
  }

  list(): Range[] {
    return this.#list.all() as Range[];
  }
}
