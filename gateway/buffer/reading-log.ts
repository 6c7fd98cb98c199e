/**
 * The append-only log of readings with its meters, batches and quarantine: every statement that
 * touches the buffer file. Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { errorText } from '../../shared/runtime/errors.ts';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import {
  type BufferStats,
  type PendingBatch,
  type QuarantineRow,
  quarantine_bytes_kept,
} from './entry.ts';
import { type Group, readingAt } from './group.ts';
import { Quarantine } from './quarantine.ts';
import { type ReadingRow, ReadingRows } from './reading-rows.ts';
import type { Connection } from './schema.ts';

/** Delivered readings kept for diagnosis and as the memory of which messages were counted. */
const delivered_rows_kept = 100_000;

/** What the main thread needs at start to go on where the last process stopped. */
export interface Recovered {
  readonly epoch: string;
  /** Where a damaged file was put, or null. */
  readonly set_aside: string | null;
  readonly meters: readonly { readonly sensor_id: string; readonly state: string }[];
  /** Newest messages that were counted, oldest first. */
  readonly keys: readonly { readonly sensor_id: string; readonly dedupe_key: string }[];
}

/** A reading that HQ will never take. */
export interface Refusal {
  readonly sequence: number;
  readonly code: string;
  readonly detail: string;
}

export class ReadingLog {
  readonly #connection: Connection;
  readonly #epoch: string;
  readonly #set_aside: string | null;
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #rows: ReadingRows;
  readonly #quarantine: Quarantine;
  #next_sequence: number;
  #settled_sequence: number;

  /** @param set_aside where a damaged predecessor of the file lies now, or null. */
  constructor(connection: Connection, set_aside: string | null) {
    this.#connection = connection;
    this.#set_aside = set_aside;
    this.#statements = prepareAll(connection);
    this.#rows = new ReadingRows(connection);
    this.#quarantine = new Quarantine(connection);
    const life = connection.prepare('SELECT epoch, settled_sequence FROM life').get() as {
      epoch: string;
      settled_sequence: number;
    };
    const { newest } = connection.prepare('SELECT max(sequence) AS newest FROM readings').get() as {
      newest: number | null;
    };
    this.#epoch = life.epoch;
    this.#settled_sequence = life.settled_sequence;
    // Delivered rows are deleted, so the rowid alone would be given out again after a clean-up.
    this.#next_sequence = Math.max(newest ?? 0, life.settled_sequence) + 1;
  }

  recover(): Recovered {
    const meters = this.#connection.prepare('SELECT sensor_id, state FROM meters').all();
    const keys = this.#connection
      .prepare(
        `SELECT word AS sensor_id, dedupe_key FROM
           (SELECT * FROM readings ORDER BY sequence DESC LIMIT ?) JOIN words ON id = sensor
         WHERE dedupe_key IS NOT NULL ORDER BY sequence`,
      )
      .all(delivered_rows_kept);
    return {
      epoch: this.#epoch,
      set_aside: this.#set_aside,
      meters: meters as Recovered['meters'],
      keys: keys as Recovered['keys'],
    };
  }

  /**
   * Writes a group in one transaction; when it returns, it survives a power cut. A reading that no
   * table takes goes to quarantine: its neighbours must not wait for what can never be stored.
   */
  commit(group: Group): void {
    const first = this.#next_sequence;
    try {
      this.#connection.transaction(() => {
        for (let row = 0; row < group.rows; row += 1) {
          this.#append(readingAt(group, row), group.dedupe_keys[row] ?? null);
        }
        for (const frame of group.quarantined) this.#quarantine.add(frame);
        for (const [sensor_id, state] of group.meters) {
          this.#statements.saveMeter.run(sensor_id, state);
        }
      })();
    } catch (error) {
      this.#next_sequence = first;
      this.#rows.forgetWords();
      throw error;
    }
  }

  /**
   * The batch on its way, or a new one of the oldest unsettled readings, or null when there are
   * none. A new batch is on disk before it is sent, so that a restart sends it again under its id.
   */
  nextBatch(
    rows_max: number,
    batch_id: string,
  ): { batch: PendingBatch; readings: BufferedReading[] } | null {
    const started = this.#statements.startedBatch.get() as PendingBatch | undefined;
    if (started !== undefined) {
      const readings = this.#read(started.first_sequence, started.last_sequence);
      return { batch: { ...started, epoch: this.#epoch }, readings };
    }
    const rows = this.#statements.readFrom.all(this.#settled_sequence, rows_max) as ReadingRow[];
    const last = rows.at(-1);
    if (last === undefined) return null;
    const range = { first_sequence: this.#settled_sequence + 1, last_sequence: last.sequence };
    this.#statements.startBatch.run(batch_id, range.first_sequence, range.last_sequence);
    return {
      batch: { batch_id, epoch: this.#epoch, ...range },
      readings: rows.map((row) => this.#rows.toReading(row)),
    };
  }

  /** HQ has answered: the batch's range is settled, what it refused goes to quarantine. */
  settle(batch: PendingBatch, refusals: readonly Refusal[], now: number): void {
    this.#connection.transaction(() => {
      for (const refusal of refusals) this.#refuse(refusal, now);
      this.#statements.dropBatch.run(batch.batch_id);
      this.#statements.saveSettled.run(batch.last_sequence);
      this.#statements.deleteDelivered.run(batch.last_sequence - delivered_rows_kept);
    })();
    this.#settled_sequence = batch.last_sequence;
  }

  /** HQ will never take this batch as it is; its readings go into smaller ones. */
  abandon(batch_id: string): void {
    this.#statements.dropBatch.run(batch_id);
  }

  stats(): Omit<BufferStats, 'bytes'> {
    const oldest = this.#statements.oldest.get(this.#settled_sequence) as
      | { observed_at: number; received_at: number }
      | undefined;
    return {
      epoch: this.#epoch,
      // Sequences have no holes, so the count needs no scan of millions of rows.
      buffered: this.#next_sequence - 1 - this.#settled_sequence,
      last_sequence: this.#next_sequence - 1,
      settled_sequence: this.#settled_sequence,
      oldest_unsent_at: oldest?.observed_at ?? null,
      oldest_unsent_received_at: oldest?.received_at ?? null,
      quarantined: this.#quarantine.totals(),
    };
  }

  /** Newest quarantined frames first. */
  quarantine(limit: number): QuarantineRow[] {
    return this.#quarantine.newest(limit);
  }

  close(): void {
    this.#connection.close();
  }

  #append(reading: Reading, dedupe_key: string | null): void {
    try {
      this.#rows.append(this.#next_sequence, reading, dedupe_key);
      this.#next_sequence += 1;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#setAside('buffer', reading, 'reading_not_storable', errorText(error));
    }
  }

  #setAside(source: string, reading: Reading, reason: string, detail: string): void {
    const bytes = Buffer.from(JSON.stringify(reading));
    const { sensor_id: address, received_at } = reading;
    this.#quarantine.add({
      source,
      address,
      reason,
      detail,
      bytes: bytes.subarray(0, quarantine_bytes_kept),
      length: bytes.length,
      received_at,
    });
  }

  #refuse(refusal: Refusal, now: number): void {
    const [reading] = this.#read(refusal.sequence, refusal.sequence);
    const bytes = Buffer.from(JSON.stringify(reading ?? { sequence: refusal.sequence }));
    this.#quarantine.add({
      source: 'hq',
      address: reading?.sensor_id ?? '',
      reason: refusal.code,
      detail: refusal.detail,
      bytes,
      length: bytes.length,
      received_at: now,
    });
  }

  #read(first: number, last: number): BufferedReading[] {
    return (this.#statements.readRange.all(first, last) as ReadingRow[]).map((row) =>
      this.#rows.toReading(row),
    );
  }
}

/** The values break the table's rules: no disk can help (SQLite result codes 19 and 20). */
function isRefusal(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  const isValue = error instanceof TypeError || error instanceof RangeError;
  return isValue || /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code);
}

function prepareAll(connection: Connection) {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    saveMeter: prepare(
      'INSERT INTO meters VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state',
    ),
    readFrom: prepare('SELECT * FROM readings WHERE sequence > ? ORDER BY sequence LIMIT ?'),
    readRange: prepare('SELECT * FROM readings WHERE sequence BETWEEN ? AND ? ORDER BY sequence'),
    startedBatch: prepare('SELECT * FROM batches ORDER BY first_sequence LIMIT 1'),
    startBatch: prepare('INSERT INTO batches VALUES (?, ?, ?)'),
    dropBatch: prepare('DELETE FROM batches WHERE batch_id = ?'),
    saveSettled: prepare('UPDATE life SET settled_sequence = ?'),
    deleteDelivered: prepare('DELETE FROM readings WHERE sequence <= ?'),
    oldest: prepare(
      'SELECT observed_at, received_at FROM readings WHERE sequence > ? ORDER BY sequence LIMIT 1',
    ),
  };
}
