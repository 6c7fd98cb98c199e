/** What could not be used: the newest frames to look at; the ledger counts them for ever. */
import type { Statement } from 'better-sqlite3';
import { systemClock } from '../../shared/runtime/clock.ts';
import {
  type QuarantinedFrame,
  type QuarantineRow,
  quarantine_bytes_kept,
  quarantine_rows_kept,
  type UndatedRow,
} from './entry.ts';
import type { Ledger } from './ledger.ts';
import type { Connection } from './schema.ts';

/** What HQ refuses is counted in the epoch of the reading, all else in the process's own. */
type Quarantined = QuarantinedFrame & { readonly epoch?: string };

export class Quarantine {
  readonly #add: Statement<unknown[]>;
  readonly #trim: Statement<unknown[]>;
  readonly #ledger: Ledger;
  readonly #newest: Statement<unknown[]>;

  constructor(connection: Connection, ledger: Ledger) {
    const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
    this.#add = prepare('INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)');
    this.#trim = prepare('DELETE FROM quarantine WHERE id <= ?');
    this.#ledger = ledger;
    this.#newest = prepare('SELECT * FROM quarantine ORDER BY id DESC LIMIT ?');
  }

  /** @param readings how many readings the entry stands for. */
  add(frame: Quarantined, readings = 1): void {
    const { source, address, reason, detail, received_at, length, bytes, epoch } = frame;
    const kept = Buffer.from(bytes);
    const added = this.#add.run(source, address, reason, detail, received_at, length, kept);
    this.#ledger.add(source, reason, readings, received_at, epoch);
    this.#trim.run(Number(added.lastInsertRowid) - quarantine_rows_kept);
  }

  /** A reading as JSON, which nobody takes as it is. */
  addReading(reading: object, why: Omit<Quarantined, 'bytes' | 'length'>): void {
    const bytes = Buffer.from(JSON.stringify(reading));
    this.add({ ...why, bytes: bytes.subarray(0, quarantine_bytes_kept), length: bytes.length });
  }

  /** Too much has come before the clock was set: the oldest of it goes. */
  addUndated({ boot_id, uptime_ms, record }: UndatedRow): void {
    const detail = `it came ${Math.round(uptime_ms / 1000)} s after the start of boot ${boot_id}`;
    const why = { source: 'buffer', address: '', reason: 'undated_given_up', detail };
    const bytes = Buffer.from(record).subarray(0, quarantine_bytes_kept);
    this.add({ ...why, bytes, length: record.length, received_at: systemClock.now() });
  }

  /** Newest first. */
  newest(limit: number): QuarantineRow[] {
    return this.#newest.all(limit).map((row) => {
      const { bytes, ...rest } = row as Omit<QuarantineRow, 'bytes'> & { bytes: Buffer };
      return { ...rest, bytes: bytes.toString('base64') };
    });
  }
}
