/**
 * The buffer as the rest of the gateway sees it: append an entry, and the promise resolves when it
 * is on disk. Entries that arrive together share one transaction and one fsync.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type ErrorCode, errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { BufferedReading, Reading } from '../../shared/wire/reading.ts';
import type { MeterState } from '../meters/meter.ts';
import {
  type BufferStats,
  type Entry,
  type Group,
  type PendingBatch,
  type QuarantinedFrame,
  type QuarantineRow,
  quarantine_bytes_kept,
} from './entry.ts';
import type { Recovered, Refusal } from './reading-log.ts';
import type { Operation, WriterAnswer, WriterData, WriterOperations } from './writer-protocol.ts';

/** A group waits this long for company; half of it is the mean delay added to an acknowledgement. */
const group_wait_ms = 10;
/** A group this large is written at once. */
const group_entries_max = 500;
/** Pause before a failed commit is tried again: the disk may have room by then. */
const commit_retry_ms = 1_000;

interface Waiting {
  readonly entry: Entry;
  readonly resolve: () => void;
}

export interface BufferOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class ReadingBuffer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #worker: Worker;
  readonly #calls = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #calls_made = 0;
  #waiting: Waiting[] = [];
  #writing = false;
  #stopWaiting: (() => void) | undefined;
  #failure: string | null = null;
  #closed = false;
  #closing: Promise<void> | undefined;

  private constructor(options: BufferOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    const workerData: WriterData = {
      path: options.path,
      epoch: options.clock.uuid(),
      now: options.clock.now(),
    };
    this.#worker = new Worker(new URL('./writer-thread.js', import.meta.url), { workerData });
    this.#worker.on('message', (answer: WriterAnswer) => this.#settleCall(answer));
    // A writer that died took its connection along; only a restart finds out what it had written.
    this.#worker.on('error', (error) => {
      throw error;
    });
  }

  /**
   * Opens the file, or creates it with a new epoch.
   *
   * @throws FootbridgeError already_running, buffer_newer, buffer_not_durable, buffer_write_failed
   */
  static async open(
    options: BufferOptions,
  ): Promise<{ buffer: ReadingBuffer; recovered: Recovered }> {
    const buffer = new ReadingBuffer(options);
    try {
      return { buffer, recovered: await buffer.#call('recover') };
    } catch (error) {
      await buffer.#worker.terminate();
      throw error;
    }
  }

  /**
   * Resolves when the entry survives a power cut. Never rejects: while the disk fails the entry
   * waits and is tried again, so nobody acknowledges it and nothing after it overtakes it.
   */
  append(entry: Entry): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ entry, resolve });
      if (this.#writing) return;
      if (this.#waiting.length >= group_entries_max) this.#write();
      else this.#stopWaiting ??= this.#clock.after(group_wait_ms, () => this.#write());
    });
  }

  /** Why the last commit failed, or null while commits succeed. */
  get failure(): string | null {
    return this.#failure;
  }

  nextBatch(
    rows_max: number,
  ): Promise<{ batch: PendingBatch; readings: BufferedReading[] } | null> {
    return this.#call('nextBatch', rows_max, this.#clock.uuid());
  }

  settle(batch: PendingBatch, refusals: readonly Refusal[]): Promise<void> {
    return this.#call('settle', batch, refusals, this.#clock.now());
  }

  abandon(batch_id: string): Promise<void> {
    return this.#call('abandon', batch_id);
  }

  stats(): Promise<BufferStats> {
    return this.#call('stats');
  }

  quarantine(limit: number): Promise<QuarantineRow[]> {
    return this.#call('quarantine', limit);
  }

  /** Writes what waits and closes the file. While the disk fails, unacknowledged entries are left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    while (this.#waiting.length > 0 && this.#failure === null) {
      this.#write();
      await this.#clock.sleep(1);
    }
    this.#closed = true;
    this.#stopWaiting?.();
    await this.#call('close');
    await this.#worker.terminate();
  }

  #write(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    if (this.#writing || this.#waiting.length === 0) return;
    this.#writing = true;
    const group = this.#waiting.slice(0, group_entries_max);
    void this.#writeGroup(group);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let entries = group.map((waiting) => waiting.entry);
    for (;;) {
      const refusal = await this.#tryCommit(groupOf(entries));
      if (refusal === null) break;
      if (refusal.code === 'reading_not_storable') entries = await this.#setAside(entries);
      else await this.#clock.sleep(commit_retry_ms);
      if (this.#closed) return;
    }
    this.#waiting = this.#waiting.slice(group.length);
    this.#writing = false;
    for (const waiting of group) waiting.resolve();
    // What gathered during the commit has waited long enough.
    this.#write();
  }

  /** @returns null, or why the group is not on disk. */
  async #tryCommit(group: Group): Promise<FootbridgeError | null> {
    try {
      await this.#call('commit', group);
      if (this.#failure !== null) this.#log.info('the buffer can be written again');
      this.#failure = null;
      return null;
    } catch (error) {
      if (!(error instanceof FootbridgeError)) throw error;
      if (error.code === 'reading_not_storable') return error;
      const text = errorText(error);
      if (this.#failure !== text) this.#log.error({ detail: text }, error.code);
      this.#failure = text;
      return error;
    }
  }

  /** What no table takes is not a fault of the disk: it must not hold up what arrives behind it. */
  async #setAside(entries: readonly Entry[]): Promise<Entry[]> {
    return Promise.all(
      entries.map(async (entry) => {
        const bad = await this.#call('refusal', groupOf([entry]));
        return bad === null ? entry : quarantineOf(entry, bad, this.#clock.now());
      }),
    );
  }

  #call<O extends Operation>(
    operation: O,
    ...parameters: Parameters<WriterOperations[O]>
  ): Promise<ReturnType<WriterOperations[O]>> {
    this.#calls_made += 1;
    const id = this.#calls_made;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, operation, parameters });
    });
  }

  #settleCall(answer: WriterAnswer): void {
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if (answer.ok) call?.resolve(answer.result as never);
    else call?.reject(new FootbridgeError(answer.code as ErrorCode, answer.text));
  }
}

/** What goes to the writer thread is copied, so it is kept small: only the last state of a meter. */
function groupOf(entries: readonly Entry[]): Group {
  const readings: Reading[] = [];
  const dedupe_keys: (string | null)[] = [];
  const states = new Map<string, MeterState>();
  const quarantined: QuarantinedFrame[] = [];
  for (const entry of entries) {
    for (const reading of entry.readings) {
      readings.push(reading);
      dedupe_keys.push(entry.dedupe_key);
    }
    quarantined.push(...entry.quarantined);
    if (entry.meter !== null) states.set(entry.meter.sensor_id, entry.meter.state);
  }
  const meters = new Map<string, string>();
  for (const [sensor_id, state] of states) meters.set(sensor_id, JSON.stringify(state));
  return { readings, dedupe_keys, meters, quarantined };
}

function quarantineOf(entry: Entry, detail: string, received_at: number): Entry {
  const bytes = new TextEncoder().encode(JSON.stringify(entry.readings));
  const [reading] = entry.readings;
  const frame: QuarantinedFrame = {
    source: 'buffer',
    address: reading?.sensor_id ?? '',
    reason: 'reading_not_storable',
    detail,
    bytes: bytes.slice(0, quarantine_bytes_kept),
    length: bytes.length,
    received_at,
  };
  const quarantined = [...entry.quarantined, frame];
  return { readings: [], dedupe_key: entry.dedupe_key, meter: null, quarantined };
}
