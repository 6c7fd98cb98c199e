/**
 * Readings as rows of the buffer file. Names of sensors and regions stand once in `words` and rows
 * carry their number: a row is written twice, to the journal and to the table, and flash wears out.
 */
import type { Statement } from 'better-sqlite3';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import type { Connection } from './schema.ts';

export interface ReadingRow {
  readonly sequence: number;
  readonly sensor: number;
  readonly region: number | null;
  readonly observed_at: number;
  readonly interval_s: number;
  readonly in_count: number | null;
  readonly out_count: number | null;
  readonly occupancy: number | null;
  readonly dwell_s: number | null;
  readonly received_at: number;
  readonly flags: number;
  readonly dwell_max_s: number | null;
}

export class ReadingRows {
  readonly #append: Statement<unknown[]>;
  readonly #newest: Statement<unknown[]>;
  readonly #words: Words;

  constructor(connection: Connection) {
    this.#append = connection.prepare(
      'INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#newest = connection
      .prepare('SELECT received_at FROM readings ORDER BY sequence DESC LIMIT 1')
      .pluck();
    this.#words = new Words(connection);
  }

  append(sequence: number, reading: Reading, dedupe_key: string | null): void {
    const isCount = reading.kind === 'count';
    this.#append.run(
      sequence,
      this.#words.numberOf(reading.sensor_id),
      isCount ? null : this.#words.numberOf(reading.region_id),
      reading.observed_at,
      reading.interval_s,
      isCount ? reading.in : null,
      isCount ? reading.out : null,
      isCount ? null : reading.occupancy,
      isCount ? null : reading.dwell_s,
      reading.received_at,
      reading.flags,
      dedupe_key,
      isCount ? null : reading.dwell_max_s,
    );
  }

  /** When the newest reading came, ms since the epoch; null: there is none. */
  newestReceived(): number | null {
    return (this.#newest.get() as number | undefined) ?? null;
  }

  /** Words numbered inside a transaction that was rolled back are not in the file. */
  forgetWords(): void {
    this.#words.forget();
  }

  toReading(row: ReadingRow): BufferedReading {
    const { sequence, observed_at, interval_s, received_at, flags } = row;
    const sensor_id = this.#words.wordOf(row.sensor);
    const shared = { sequence, sensor_id, observed_at, interval_s, received_at, flags };
    return row.region === null
      ? { kind: 'count', ...shared, in: row.in_count ?? 0, out: row.out_count ?? 0 }
      : {
          kind: 'zone',
          ...shared,
          region_id: this.#words.wordOf(row.region),
          occupancy: row.occupancy,
          dwell_s: row.dwell_s,
          dwell_max_s: row.dwell_max_s,
        };
  }
}

/** The dictionary of the file, in memory. A store has some dozens of sensors and regions. */
class Words {
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

  forget(): void {
    this.#numbers.clear();
  }
}
