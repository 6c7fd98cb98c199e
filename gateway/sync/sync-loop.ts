/**
 * Sends the buffer to HQ, oldest first. A batch keeps its id and its bytes until HQ has answered
 * for every row; nothing else may make the gateway forget a reading.
 */
import { gzipSync } from 'node:zlib';
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { batch_rows_max, toBatch } from '../../shared/wire/batch.ts';
import type { BufferedReading } from '../../shared/wire/reading.ts';
import type { PendingBatch } from '../buffer/entry.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

export interface SyncLoopOptions {
  readonly buffer: Pick<ReadingBuffer, 'nextBatch' | 'settle' | 'abandon'>;
  readonly client: HqClient;
  readonly credential: Credential;
  /** Pause while the buffer is empty, so that readings gather into one request. */
  readonly send_interval_ms: number;
  /** Longest pause between tries while HQ is away. */
  readonly retry_max_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SyncStatus {
  readonly state: 'idle' | 'delivering' | 'retrying' | 'refused' | 'stopped';
  /** Why the last try failed, or null. */
  readonly error: string | null;
  /** ms since the epoch of the last batch that HQ settled, or null. */
  readonly last_delivered_at: number | null;
}

const retry_base_ms = 1_000;
const disk_retry_ms = 1_000;
/** A refused credential is not cured by hurry. */
const refused_pause_ms = 60_000;

export class SyncLoop implements Part {
  readonly name = 'sync';
  readonly #options: SyncLoopOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #status: SyncStatus = { state: 'idle', error: null, last_delivered_at: null };
  #rows_max = batch_rows_max;
  #attempt = 0;

  constructor(options: SyncLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#status = { ...this.#status, state: 'stopped' };
  }

  status(): SyncStatus {
    return this.#status;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      let pause_ms: number;
      try {
        pause_ms = await this.#deliverNext();
      } catch (error) {
        // The batch's id and HQ's answer are kept on disk too; while it is full, nothing is sent.
        this.#failing('retrying', errorText(error));
        pause_ms = disk_retry_ms;
      }
      await clock.sleep(pause_ms, this.#stop.signal);
    }
  }

  /** @returns the pause before the next batch, ms. */
  async #deliverNext(): Promise<number> {
    const next = await this.#options.buffer.nextBatch(this.#rows_max);
    if (next === null) {
      this.#status = { ...this.#status, state: 'idle', error: null };
      return this.#options.send_interval_ms;
    }
    const outcome = await this.#send(next.batch, next.readings);
    return this.#settle(next.batch, next.readings, outcome);
  }

  async #send(batch: PendingBatch, readings: readonly BufferedReading[]): Promise<Outcome> {
    const { client, credential } = this.#options;
    const body = gzipSync(JSON.stringify(toBatch(batch, readings)), { level: 1 });
    try {
      const answer = await client.post(
        { path: '/v1/batches', body, gzip: true, authorization: bearer(credential) },
        this.#stop.signal,
      );
      return outcomeOf(answer, { batch_id: batch.batch_id, rows: readings.length });
    } catch (error) {
      return { kind: 'retry', after_ms: null, reason: errorText(error) };
    }
  }

  /** @returns the pause before the next batch, ms. */
  async #settle(
    batch: PendingBatch,
    readings: readonly BufferedReading[],
    outcome: Outcome,
  ): Promise<number> {
    const { buffer, clock, log, send_interval_ms } = this.#options;
    switch (outcome.kind) {
      case 'delivered': {
        const { rejected } = outcome.answer;
        await buffer.settle(batch, rejected);
        if (rejected.length > 0) log.warn({ rejected: rejected.length }, 'HQ refused readings');
        const full = readings.length >= this.#rows_max;
        this.#attempt = 0;
        this.#rows_max = Math.min(this.#rows_max * 2, batch_rows_max);
        this.#status = { state: 'delivering', error: null, last_delivered_at: clock.now() };
        return full ? 0 : send_interval_ms;
      }
      case 'split':
        await this.#split(batch, readings, outcome);
        return 0;
      case 'refused':
        this.#failing('refused', outcome.reason);
        return refused_pause_ms;
      case 'retry': {
        this.#failing('retrying', outcome.reason);
        const bounds = { base_ms: retry_base_ms, cap_ms: this.#options.retry_max_ms };
        const wait_ms = backoff_ms(this.#attempt, bounds, clock.random);
        this.#attempt += 1;
        return Math.max(outcome.after_ms ?? 0, wait_ms);
      }
    }
  }

  /** Halves the batch until the reading that HQ cannot take stands alone, and sets that aside. */
  async #split(
    batch: PendingBatch,
    readings: readonly BufferedReading[],
    refusal: { code: string; detail: string },
  ): Promise<void> {
    const { buffer, log } = this.#options;
    const [only] = readings;
    if (readings.length === 1 && only !== undefined) {
      const { code, detail } = refusal;
      await buffer.settle(batch, [{ sequence: only.sequence, code, detail }]);
      log.warn({ sequence: only.sequence, code, detail }, 'HQ refused a reading');
      return;
    }
    await buffer.abandon(batch.batch_id);
    this.#rows_max = Math.ceil(readings.length / 2);
  }

  #failing(state: 'refused' | 'retrying', reason: string): void {
    if (this.#status.error !== reason) this.#options.log.warn({ detail: reason }, 'sync');
    this.#status = { ...this.#status, state, error: reason };
  }
}
