/**
 * A gateway's buffer in memory: a day of minute counts, and the minutes that follow. What the batches
 * of a thousand gateways have in common is made and compressed once: their part of two cores must
 * not be what is measured.
 */
import { gzipSync } from 'node:zlib';
import type { OutgoingBatch } from '../gateway/buffer/delivery.ts';
import type { Lane, PendingBatch } from '../gateway/buffer/entry.ts';
import type { LaneOptions } from '../gateway/sync/delivery-lane.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { toBatch } from '../shared/wire/batch.ts';
import type { BufferedReading } from '../shared/wire/reading.ts';

export const sensors_each = 2;
const minute_ms = 60_000;
const day_rows = 1_440 * sensors_each;
/** As the gateway does it: the newest at once, the rest beside. */
const live_rows = 500;

interface Sent {
  readonly batch: PendingBatch;
  readonly lane: Lane;
}

export interface Day {
  /** Its first minute, ms since the epoch. */
  readonly begin: number;
  /** Whether the day waits, or only what the live lane takes first. */
  readonly hasBacklog: boolean;
}

export class DayBuffer {
  readonly #clock: Clock;
  readonly #seed: number;
  readonly #epoch: string;
  readonly #day: Day;
  /** Begun and not settled. */
  readonly #sent = new Map<string, Sent>();
  #backlog_next = 1;
  #live_next = day_rows - live_rows + 1;
  settled_rows = 0;
  backlog_left: number;
  live_left = live_rows;

  constructor(clock: Clock, seed: number, day: Day) {
    this.#clock = clock;
    this.#seed = seed % variants;
    this.#epoch = clock.uuid();
    this.#day = day;
    this.backlog_left = day.hasBacklog ? day_rows - live_rows : 0;
  }

  get isDrained(): boolean {
    return this.backlog_left <= 0 && this.live_left <= 0;
  }

  async nextBatch(
    lane: Lane,
    rows_max: number,
    held: readonly string[],
  ): Promise<OutgoingBatch | null> {
    const begun = [...this.#sent.values()].find(
      (one) => one.lane === lane && !held.includes(one.batch.batch_id),
    );
    const batch = begun?.batch ?? this.#newBatch(lane, rows_max);
    if (batch === null) return null;
    this.#sent.set(batch.batch_id, { batch, lane });
    const rows = batch.last_sequence - batch.first_sequence + 1;
    return { batch, rows, body: Buffer.concat([gzipSync(head(batch)), this.#tail(batch)]) };
  }

  async settle({ batch_id, first_sequence, last_sequence }: PendingBatch): Promise<void> {
    const sent = this.#sent.get(batch_id);
    if (sent === undefined) return;
    this.#sent.delete(batch_id);
    const rows = last_sequence - first_sequence + 1;
    this.settled_rows += rows;
    if (sent.lane === 'backlog') this.backlog_left -= rows;
    else this.live_left -= rows;
  }

  refuse: LaneOptions['buffer']['refuse'] = () => Promise.reject(new Error('HQ refused a reading'));
  abandon: LaneOptions['buffer']['abandon'] = () => Promise.reject(new Error('HQ refused a batch'));

  #newBatch(lane: Lane, rows_max: number): PendingBatch | null {
    const end = this.#endOf(lane);
    const first_sequence = lane === 'live' ? this.#live_next : this.#backlog_next;
    const last_sequence = Math.min(end, first_sequence + rows_max - 1);
    if (last_sequence < first_sequence) return null;
    if (lane === 'live') this.#live_next = last_sequence + 1;
    else this.#backlog_next = last_sequence + 1;
    const batch_id = this.#clock.uuid();
    return { batch_id, epoch: this.#epoch, first_sequence, last_sequence };
  }

  #endOf(lane: Lane): number {
    const { begin, hasBacklog } = this.#day;
    if (lane === 'backlog') return hasBacklog ? day_rows - live_rows : 0;
    const minutes = Math.floor((this.#clock.now() - begin) / minute_ms);
    return hasBacklog ? minutes * sensors_each : day_rows;
  }

  /** The second member of a gzip file (RFC 1952, 2.2): all that names no gateway and no batch. */
  #tail(batch: PendingBatch): Buffer {
    const { first_sequence, last_sequence } = batch;
    const key = [this.#day.begin, this.#seed, first_sequence, last_sequence].join();
    const known = tails.get(key);
    if (known !== undefined) return known;
    const readings: BufferedReading[] = [];
    for (let s = first_sequence; s <= last_sequence; s += 1) readings.push(this.#row(s));
    const tail = gzipSync(JSON.stringify(toBatch(batch, readings)).slice(head(batch).length), {
      level: 1,
    });
    tails.set(key, tail);
    return tail;
  }

  #row(sequence: number): BufferedReading {
    const minute = Math.floor((sequence - 1) / sensors_each);
    const observed_at = this.#day.begin + minute * minute_ms;
    const walked = (sequence + this.#seed) % 7;
    const times = { observed_at, interval_s: 60, received_at: observed_at + 61_000 };
    const sensor_id = `door-${sequence % sensors_each}`;
    return { kind: 'count', sequence, sensor_id, ...times, in: walked, out: walked % 3, flags: 0 };
  }
}

/** Gateways that count differently; what they send is made once for each. */
const variants = 7;
const tails = new Map<string, Buffer>();

/** The JSON of a batch up to where its readings begin. */
function head(batch: PendingBatch): string {
  return JSON.stringify(toBatch(batch, [])).split('"sensors"')[0] ?? '';
}
