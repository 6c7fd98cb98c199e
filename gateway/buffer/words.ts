/**
 * The dictionary of the buffer file, in memory: names of sensors, regions and devices stand once in
 * `words`, and rows carry their number. A store has some dozens of them.
 */
import type { Statement } from 'better-sqlite3';
import type { Connection } from './schema.ts';

export class Words {
  readonly #find: Statement<unknown[]>;
  readonly #add: Statement<unknown[]>;
  readonly #read: Statement<unknown[]>;
  readonly #numbers = new Map<string, number>();
  readonly #words = new Map<number, string>();

  constructor(connection: Connection) {
    this.#find = connection.prepare('SELECT id FROM words WHERE word = ?').pluck();
    this.#add = connection.prepare('INSERT INTO words (word) VALUES (?)');
    this.#read = connection.prepare('SELECT word FROM words WHERE id = ?').pluck();
  }

  /** A new word gets its number inside the caller's transaction. */
  numberOf(word: string): number {
    const known = this.#numbers.get(word);
    if (known !== undefined) return known;
    const found = this.#find.get(word) as number | undefined;
    const number = found ?? Number(this.#add.run(word).lastInsertRowid);
    this.#numbers.set(word, number);
    return number;
  }

  wordOf(number: number): string {
    const known = this.#words.get(number);
    if (known !== undefined) return known;
    const word = (this.#read.get(number) as string | undefined) ?? '';
    this.#words.set(number, word);
    return word;
  }

  /** Words numbered inside a transaction that was rolled back are not in the file. */
  forget(): void {
    this.#numbers.clear();
    this.#words.clear();
  }
}
