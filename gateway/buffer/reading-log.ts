/**
 * The append-only log of readings with its meters, batches and quarantine: every statement that
 * touches the buffer file. Synchronous; runs in the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import type {
  BufferStats,
  Group,
  PendingBatch,
  QuarantinedFrame,
  QuarantineRow,
  QuarantineTotal,
} from './entry.ts';
import { quarantine_rows_kept } from './entry.ts';
import type { Connection } from './schema.ts';

/** Delivered readings kept for diagnosis and as the memory of which messages were counted. */
const delivered_rows_kept = 100_000;

interface Row {
  sequence: number;
  kind: Reading['kind'];
  sensor_id: string;
  region_id: string | null;
  observed_at: number;
  interval_s: number;
  in_count: number | null;
  out_count: number | null;
  occupancy: number | null;
  dwell_s: number | null;
  received_at: number;
  flags: number;
}

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
  #next_sequence: number;
  #settled_sequence: number;

  /** @param set_aside where a damaged predecessor of the file lies now, or null. */
  constructor(connection: Connection, set_aside: string | null) {
    this.#connection = connection;
    this.#set_aside = set_aside;
    this.#statements = prepareAll(connection);
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
        `SELECT sensor_id, dedupe_key FROM
           (SELECT * FROM readings ORDER BY sequence DESC LIMIT ?)
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

  /** Writes a group in one transaction; when it returns, it survives a power cut. */
  commit({ readings, dedupe_keys, meters, quarantined }: Group): void {
    const first = this.#next_sequence;
    try {
      this.#connection.transaction(() => {
        for (const [i, reading] of readings.entries()) {
          this.#append(reading, dedupe_keys[i] ?? null);
        }
        for (const frame of quarantined) this.#quarantine(frame);
        for (const [sensor_id, state] of meters) this.#statements.saveMeter.run(sensor_id, state);
      })();
    } catch (error) {
      this.#next_sequence = first;
      throw isRefusal(error)
        ? new FootbridgeError('reading_not_storable', errorText(error), { cause: error })
        : error;
    }
  }

  /** Why the tables do not take the group, or null where they do; writes nothing. */
  refusal(group: Group): string | null {
    const first = this.#next_sequence;
    this.#connection.exec('SAVEPOINT refusal');
    try {
      this.commit(group);
      return null;
    } catch (error) {
      if (error instanceof FootbridgeError) return error.detail ?? error.message;
      throw error;
    } finally {
      this.#next_sequence = first;
      this.#connection.exec('ROLLBACK TO refusal');
      this.#connection.exec('RELEASE refusal');
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
    const rows = this.#statements.readFrom.all(this.#settled_sequence, rows_max) as Row[];
    const last = rows.at(-1);
    if (last === undefined) return null;
    const range = { first_sequence: this.#settled_sequence + 1, last_sequence: last.sequence };
    this.#statements.startBatch.run(batch_id, range.first_sequence, range.last_sequence);
    return { batch: { batch_id, epoch: this.#epoch, ...range }, readings: rows.map(toReading) };
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
      quarantined: this.#statements.totals.all() as QuarantineTotal[],
    };
  }

  /** Newest quarantined frames first. */
  quarantine(limit: number): QuarantineRow[] {
    return this.#statements.quarantined.all(limit).map((row) => {
      const { bytes, ...rest } = row as Omit<QuarantineRow, 'bytes'> & { bytes: Buffer };
      return { ...rest, bytes: bytes.toString('base64') };
    });
  }

  close(): void {
    this.#connection.close();
  }

  #append(reading: Reading, dedupe_key: string | null): void {
    const count = reading.kind === 'count';
    this.#statements.append.run(
      this.#next_sequence,
      reading.kind,
      reading.sensor_id,
      count ? null : reading.region_id,
      reading.observed_at,
      reading.interval_s,
      count ? reading.in : null,
      count ? reading.out : null,
      count ? null : reading.occupancy,
      count ? null : reading.dwell_s,
      reading.received_at,
      reading.flags,
      dedupe_key,
    );
    this.#next_sequence += 1;
  }

  #quarantine(frame: QuarantinedFrame): void {
    const { source, address, reason, detail, received_at, length, bytes } = frame;
    const added = this.#statements.quarantine.run(
      source,
      address,
      reason,
      detail,
      received_at,
      length,
      Buffer.from(bytes),
    );
    this.#statements.addToTotal.run(source, reason, received_at);
    this.#statements.trimQuarantine.run(Number(added.lastInsertRowid) - quarantine_rows_kept);
  }

  #refuse(refusal: Refusal, now: number): void {
    const [reading] = this.#read(refusal.sequence, refusal.sequence);
    const bytes = Buffer.from(JSON.stringify(reading ?? { sequence: refusal.sequence }));
    this.#quarantine({
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
    return (this.#statements.readRange.all(first, last) as Row[]).map(toReading);
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
    append: prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
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
    quarantine: prepare('INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)'),
    trimQuarantine: prepare('DELETE FROM quarantine WHERE id <= ?'),
    addToTotal: prepare(
      `INSERT INTO quarantine_totals VALUES (?, ?, 1, ?)
       ON CONFLICT DO UPDATE SET count = count + 1, last_at = excluded.last_at`,
    ),
    totals: prepare('SELECT * FROM quarantine_totals ORDER BY source, reason'),
    quarantined: prepare('SELECT * FROM quarantine ORDER BY id DESC LIMIT ?'),
  };
}

function toReading(row: Row): BufferedReading {
  const { sequence, sensor_id, observed_at, interval_s, received_at, flags } = row;
  const shared = { sequence, sensor_id, observed_at, interval_s, received_at, flags };
  return row.kind === 'count'
    ? { kind: 'count', ...shared, in: row.in_count ?? 0, out: row.out_count ?? 0 }
    : {
        kind: 'zone',
        ...shared,
        region_id: row.region_id ?? '',
        occupancy: row.occupancy,
        dwell_s: row.dwell_s,
      };
}
