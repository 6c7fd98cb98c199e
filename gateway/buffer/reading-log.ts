/**
 * The append-only log of readings with its meters, batches and quarantine: every statement that
 * touches the buffer file. Synchronous; runs in the writer thread.
 */
import { errorText } from '../../shared/runtime/errors.ts';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import { Delivery, type OutgoingBatch } from './delivery.ts';
import type {
  Asked,
  BufferStats,
  HqMemory,
  Lane,
  PendingBatch,
  QuarantineRow,
  Reconciled,
  Refusal,
  UndatedRow,
} from './entry.ts';
import { Epochs } from './epochs.ts';
import { type Group, keyAt, readingAt } from './group.ts';
import { Held, type Released } from './held.ts';
import { Ledger } from './ledger.ts';
import { logStatements } from './log-statements.ts';
import { MeterRows } from './meter-rows.ts';
import { Quarantine } from './quarantine.ts';
import { type LogLimits, Quota } from './quota.ts';
import { isRefusal, type ReadingRow, ReadingRows } from './reading-rows.ts';
import { knownOf, reconcile } from './reconcile.ts';
import type { Recovered } from './recovered.ts';
import type { KnownLog } from './replacement.ts';
import { Salvage } from './salvage.ts';
import type { Connection } from './schema.ts';
import { Sums } from './sums.ts';
import { Undated } from './undated.ts';
import { Words } from './words.ts';

/** Delivered readings kept for diagnosis and as the memory of which messages were counted. */
const delivered_rows_kept = 100_000;

export class ReadingLog {
  readonly #connection: Connection;
  readonly #set_aside: string | null;
  readonly #statements: ReturnType<typeof logStatements>;
  readonly #rows: ReadingRows;
  readonly #meters: MeterRows;
  readonly #epochs: Epochs;
  readonly #sums: Sums;
  readonly #held: Held;
  readonly #ledger: Ledger;
  readonly #quarantine: Quarantine;
  readonly #undated: Undated;
  readonly #delivery: Delivery;
  readonly #quota: Quota;
  readonly #delivered_rows: number;
  #next_sequence: number;
  /** What is still in damaged files follows by its steps. */
  readonly salvage: Salvage;

  /** @param set_aside where a damaged predecessor of the file lies now, or null. */
  constructor(connection: Connection, set_aside: string | null, limits: Partial<LogLimits> = {}) {
    this.#connection = connection;
    this.#delivered_rows = limits.delivered_rows ?? delivered_rows_kept;
    this.#set_aside = set_aside;
    this.#statements = logStatements(connection);
    const words = new Words(connection);
    this.#rows = new ReadingRows(connection, words);
    this.#meters = new MeterRows(connection, words);
    this.#epochs = new Epochs(connection);
    this.#sums = new Sums(connection);
    const parts = { epochs: this.#epochs, sums: this.#sums };
    this.#delivery = new Delivery(connection, parts);
    this.#ledger = new Ledger(connection, this.#epochs.present);
    this.#quarantine = new Quarantine(connection, this.#ledger);
    const giveUp = (row: UndatedRow) => this.#quarantine.addUndated(row);
    this.#undated = new Undated(connection, giveUp, limits.undated_bytes);
    const quota_bytes = Number.POSITIVE_INFINITY;
    const quota = { quota_bytes, rows_kept: delivered_rows_kept, ...limits };
    this.#quota = new Quota(connection, { ...parts, delivery: this.#delivery }, quota);
    const { newest } = connection.prepare('SELECT max(sequence) AS newest FROM readings').get() as {
      newest: number | null;
    };
    // Delivered rows are deleted, so the rowid alone would be given out again after a clean-up.
    const last = Math.max(newest ?? 0, this.#delivery.settled_sequence, this.#epochs.begun_at - 1);
    this.#held = new Held(connection, last);
    this.#next_sequence = last + 1;
    const inDelivery = (change: () => void) => this.#inDelivery(change);
    this.salvage = new Salvage(connection, this.#delivery, this.#quota, inDelivery);
  }

  recover(): Recovered {
    return {
      epoch: this.#epochs.present,
      set_aside: this.#set_aside,
      meters: this.#meters.all(),
      keys: this.#rows.keys(delivered_rows_kept),
      newest_received_at: this.#rows.newestReceived(),
      undated_boots: this.#undated.boots(),
    };
  }

  /**
   * Writes a group in one transaction; when it returns, it survives a power cut. A reading that no
   * table takes goes to quarantine: its neighbours must not wait for what can never be stored.
   *
   * @throws FootbridgeError buffer_quota
   */
  commit(group: Group): void {
    this.#reloading(() => this.#quota.makeRoom(this.#next_sequence - 1));
    const first = this.#next_sequence;
    try {
      this.#connection.transaction(() => {
        if (group.rows > 0) this.#epochs.begin(first);
        for (let row = 0; row < group.rows; row += 1) {
          this.#append(readingAt(group, row), keyAt(group, row));
        }
        for (const interval of group.held) this.#held.add(interval);
        for (const frame of group.quarantined) this.#quarantine.add(frame);
        this.#undated.change(group);
        for (const [sensor_id, meter] of group.meters) this.#meters.save(sensor_id, meter);
      })();
    } catch (error) {
      this.#next_sequence = first;
      this.#epochs.reload();
      this.#rows.forget();
      this.#undated.reload();
      throw error;
    }
  }

  /** What the lane sends next, see {@link Delivery.next}. */
  nextBatch(
    lane: Lane,
    options: { rows_max: number; batch_id: string; held: readonly string[] },
  ): OutgoingBatch | null {
    return this.#delivery.next(lane, { ...options, newest: this.#next_sequence - 1 });
  }

  /** HQ has answered: the batch's range is settled, what it refused goes to quarantine. */
  settle(batch: PendingBatch, refusals: readonly Refusal[], now: number): void {
    // Asked again, HQ refuses again what it refused.
    if (!this.#delivery.hasBegun(batch)) return;
    this.#inDelivery(() => {
      for (const refusal of refusals) this.#refuse(refusal, now);
      this.#delivery.settle(batch);
      const delivered = this.#delivery.settled_sequence - this.#delivered_rows;
      if (!this.#quota.forget(delivered)) return;
      const oldest = this.#statements.oldestKept.get() as { sequence: number | null };
      this.#epochs.forget(oldest.sequence ?? delivered + 1);
    });
  }

  /** HQ will never take this one-reading batch: the reading goes to quarantine. */
  refuse(batch: PendingBatch, refusal: Omit<Refusal, 'sequence'>, now: number): void {
    const [row] = this.#read(batch.first_sequence, batch.last_sequence);
    if (row === undefined) return;
    const { sequence } = row;
    this.#inDelivery(() => {
      this.#refuse({ sequence, ...refusal }, now);
      this.#statements.delete.run(sequence);
      this.#sums.remove(sequence);
      this.#delivery.refused(batch.batch_id);
    });
  }

  /** HQ will never take this batch as it is; its readings go into smaller ones. */
  abandon(batch_id: string): void {
    this.#inDelivery(() => this.#delivery.abandon(batch_id));
  }

  deliverAs(gateway_id: string): void {
    this.#inDelivery(() => {
      if (this.#delivery.deliverAs(gateway_id)) this.#ledger.changeOwner();
    });
  }

  /** Takes HQ's memory for true, see reconcile.ts. */
  reconcile(hq: HqMemory, asked: Asked): Reconciled {
    let found: Reconciled = { gained: 0, lost: 0 };
    this.#inDelivery(() => {
      const oldest = this.#statements.oldestKept.get() as { sequence: number | null };
      const oldest_kept = oldest.sequence ?? this.#next_sequence;
      const [delivery, sums, quarantine] = [this.#delivery, this.#sums, this.#quarantine];
      found = reconcile(hq, asked, { delivery, sums, quarantine, oldest_kept });
      this.#ledger.answered(asked.losses);
      const released = this.#held.release(asked.held, hq.counted, knownOf(hq, asked));
      this.#release(released, asked.now);
    });
    return found;
  }

  #release({ readings, unclear }: Released, now: number): void {
    if (readings.length > 0) this.#epochs.begin(this.#next_sequence);
    for (const reading of readings) this.#append(reading, null);
    const detail = 'a life of the gateway whose disk is gone has counted part of it';
    for (const reading of unclear) {
      const why = { source: 'buffer', address: reading.sensor_id, reason: 'counted_by_lost_life' };
      this.#quarantine.addReading(reading, { ...why, detail, received_at: now });
    }
  }

  stats(): Omit<BufferStats, 'bytes' | 'reserve'> {
    const oldest = this.#statements.oldest.get(this.#delivery.oldest_unsettled) as
      | { observed_at: number; received_at: number }
      | undefined;
    return {
      epoch: this.#epochs.present,
      epochs: this.#epochs.list(this.#next_sequence - 1),
      held: this.#held.list(),
      gateway_id: this.#statements.owner.get() as string | null,
      buffered: this.#delivery.unsettled(this.#next_sequence - 1),
      last_sequence: this.#next_sequence - 1,
      settled_sequence: this.#delivery.settled_sequence,
      settled: this.#delivery.settled,
      first_sequence: this.#delivery.first_sequence,
      oldest_unsent_at: oldest?.observed_at ?? null,
      oldest_unsent_received_at: oldest?.received_at ?? null,
      undated: this.#undated.count(),
      salvaging: this.salvage.left,
      coalesced: this.#quota.coalesced,
      used_bytes: this.#quota.used_bytes,
      quota_bytes: this.#quota.quota_bytes,
      quarantined: this.#ledger.totals(),
      losses: this.#ledger.report(),
    };
  }

  /** Room in the file that deleted rows have left, bytes. */
  get reusable_bytes(): number {
    return this.#quota.reusable_bytes;
  }

  /** The oldest records that came before the clock was set and have no time yet. */
  undated(limit: number): UndatedRow[] {
    return this.#undated.oldest(limit);
  }

  /** Newest quarantined frames first. */
  quarantine(limit: number): QuarantineRow[] {
    return this.#quarantine.newest(limit);
  }

  /** For whoever has to replace the file, which cannot be asked any more. */
  get known(): KnownLog {
    const newest = this.#next_sequence - 1;
    return { newest, unsettled: this.#delivery.unsettled(newest) };
  }

  close(): void {
    this.salvage.close();
    this.#connection.close();
  }

  #append(reading: Reading, message_key: Buffer | null): void {
    try {
      this.#rows.append(this.#next_sequence, reading, message_key);
      this.#next_sequence += 1;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { sensor_id: address, received_at } = reading;
      const why = { source: 'buffer', reason: 'reading_not_storable', detail: errorText(error) };
      this.#quarantine.addReading(reading, { ...why, address, received_at });
    }
  }

  #refuse(refusal: Refusal, now: number): void {
    const [reading] = this.#read(refusal.sequence, refusal.sequence);
    const { code: reason, detail } = refusal;
    const address = reading?.sensor_id ?? '';
    const { epoch } = this.#epochs.around(refusal.sequence);
    const why = { source: 'hq', address, reason, detail, received_at: now, epoch };
    this.#quarantine.addReading(reading ?? { sequence: refusal.sequence }, why);
  }

  /** What is on disk and what is remembered change together, or not at all. */
  #inDelivery(change: () => void): void {
    this.#reloading(() => this.#connection.transaction(change)());
  }

  #reloading(change: () => void): void {
    const next_sequence = this.#next_sequence;
    try {
      change();
    } catch (error) {
      this.#next_sequence = next_sequence;
      this.#delivery.reload();
      this.#epochs.reload();
      this.#rows.forget();
      throw error;
    }
  }

  #read(first: number, last: number): BufferedReading[] {
    return (this.#statements.readRange.all(first, last) as ReadingRow[]).map((row) =>
      this.#rows.toReading(row),
    );
  }
}
