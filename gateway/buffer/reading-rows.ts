/**
 * Readings as rows of the buffer file. Names stand once in `words`, and keys of messages are short: a row
 * is written twice, to the journal and to the table, and flash wears out.
 */
import type { Statement } from 'better-sqlite3';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import type { Connection } from './schema.ts';
import type { Words } from './words.ts';

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

/** What the column `received` says of a row, see schema-of-short-rows.ts. */
export function receivedColumn(row: { observed_at: number; received_at: number }): number {
  const after = row.received_at - row.observed_at;
  return (after | 0) === after ? after : row.received_at;
}

export class ReadingRows {
  readonly #append: Statement<unknown[]>;
  readonly #newest: Statement<unknown[]>;
  readonly #newestKeys: Statement<unknown[]>;
  readonly #words: Words;

  constructor(connection: Connection, words: Words) {
    this.#append = connection.prepare(
      'INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)',
    );
    this.#newest = connection
      .prepare('SELECT received_at FROM readings ORDER BY sequence DESC LIMIT 1')
      .pluck();
    this.#newestKeys = connection.prepare(
      `SELECT sensor, coalesce(message_key, dedupe_key) AS kept
       FROM (SELECT * FROM readings ORDER BY sequence DESC LIMIT ?)
       WHERE kept IS NOT NULL ORDER BY sequence`,
    );
    this.#words = words;
  }

  append(sequence: number, reading: Reading, message_key: Buffer | null): void {
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
      receivedColumn(reading),
      reading.flags,
      isCount ? null : reading.dwell_max_s,
      message_key,
    );
  }

  /** When the newest reading came, ms since the epoch; null: there is none. */
  newestReceived(): number | null {
    return (this.#newest.get() as number | undefined) ?? null;
  }

  /** Keys of messages in the newest rows, oldest first. */
  keys(rows_max: number): { sensor_id: string; dedupe_key: string }[] {
    const rows = this.#newestKeys.all(rows_max) as { sensor: number; kept: Buffer | string }[];
    return rows.map(({ sensor, kept }) => {
      const dedupe_key = typeof kept === 'string' ? kept : kept.toString('base64');
      return { sensor_id: this.#words.wordOf(sensor), dedupe_key };
    });
  }

  /** After a transaction that was rolled back. */
  forget(): void {
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

/** The values break the table's rules: no disk can help (SQLite result codes 19 and 20). */
export function isRefusal(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  const isValue = error instanceof TypeError || error instanceof RangeError;
  return isValue || /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code);
}
