/** What could not be used: the newest frames to look at, and totals that count on for ever. */
import type { Statement } from 'better-sqlite3';
import {
  type QuarantinedFrame,
  type QuarantineRow,
  type QuarantineTotal,
  quarantine_bytes_kept,
  quarantine_rows_kept,
} from './entry.ts';
import type { Connection } from './schema.ts';

export class Quarantine {
  readonly #add: Statement<unknown[]>;
  readonly #trim: Statement<unknown[]>;
  readonly #addToTotal: Statement<unknown[]>;
  readonly #totals: Statement<unknown[]>;
  readonly #newest: Statement<unknown[]>;

  constructor(connection: Connection) {
    const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
    this.#add = prepare('INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)');
    this.#trim = prepare('DELETE FROM quarantine WHERE id <= ?');
    this.#addToTotal = prepare(
      `INSERT INTO quarantine_totals VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`,
    );
    this.#totals = prepare('SELECT * FROM quarantine_totals ORDER BY source, reason');
    this.#newest = prepare('SELECT * FROM quarantine ORDER BY id DESC LIMIT ?');
  }

  /** @param readings how many readings the entry stands for. */
  add(frame: QuarantinedFrame, readings = 1): void {
    const { source, address, reason, detail, received_at, length, bytes } = frame;
    const kept = Buffer.from(bytes);
    const added = this.#add.run(source, address, reason, detail, received_at, length, kept);
    this.#addToTotal.run(source, reason, readings, received_at);
    this.#trim.run(Number(added.lastInsertRowid) - quarantine_rows_kept);
  }

  /** A reading as JSON, which nobody takes as it is. */
  addReading(reading: object, why: Omit<QuarantinedFrame, 'bytes' | 'length'>): void {
    const bytes = Buffer.from(JSON.stringify(reading));
    this.add({ ...why, bytes: bytes.subarray(0, quarantine_bytes_kept), length: bytes.length });
  }

  totals(): QuarantineTotal[] {
    return this.#totals.all() as QuarantineTotal[];
  }

  /** Newest first. */
  newest(limit: number): QuarantineRow[] {
    return this.#newest.all(limit).map((row) => {
      const { bytes, ...rest } = row as Omit<QuarantineRow, 'bytes'> & { bytes: Buffer };
      return { ...rest, bytes: bytes.toString('base64') };
    });
  }
}
