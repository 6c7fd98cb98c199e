/**
 * One lane of delivery: takes a batch, sends it, does what HQ's answer says, and again. A batch keeps
 * its id and its bytes until HQ has answered for every row; nothing else may make the gateway forget
 * a reading.
 */
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type BacklogBudget, batch_rows_max } from '../../shared/wire/batch.ts';
import type { OutgoingBatch } from '../buffer/delivery.ts';
import type { Lane } from '../buffer/entry.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

export interface LaneOptions {
  readonly buffer: Pick<ReadingBuffer, 'nextBatch' | 'settle' | 'refuse' | 'abandon'>;
  readonly client: HqClient;
  readonly credential: Credential;
  /** Pause while there is nothing to send, so that readings gather into one request. */
  readonly send_interval_ms: number;
  /** Longest pause between tries while HQ is away. */
  readonly retry_max_ms: number;
  /** Readings in a batch; fewer where the line is slow. */
  readonly rows_max: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the lanes of one gateway share. */
export interface LanesTogether {
  /** Ids of the batches that some lane has in its hands. */
  readonly held: Set<string>;
  /** Settled when no lane is about to take a batch: two that ask at once would get the same. */
  taking: Promise<unknown>;
  /** What HQ granted last. */
  budget: BacklogBudget;
  /** Aborted, and replaced, when an idle lane may have something to do. */
  wake: AbortController;
}

export interface LaneStatus {
  readonly state: 'idle' | 'delivering' | 'retrying' | 'refused';
  /** Why the last try failed, or null. */
  readonly error: string | null;
  /** ms since the epoch of the last batch that HQ settled, or null. */
  readonly last_delivered_at: number | null;
}

const retry_base_ms = 1_000;
const disk_retry_ms = 1_000;
/** A refused credential is not cured by hurry. */
const refused_pause_ms = 60_000;

export class DeliveryLane {
  readonly #lane: Lane;
  /** A backlog lane works while HQ grants more lanes than its place. */
  readonly #place: number;
  readonly #options: LaneOptions;
  readonly #together: LanesTogether;
  #status: LaneStatus = { state: 'idle', error: null, last_delivered_at: null };
  #rows_max: number;
  #attempt = 0;

  constructor(lane: Lane, place: number, options: LaneOptions, together: LanesTogether) {
    this.#lane = lane;
    this.#place = place;
    this.#options = options;
    this.#together = together;
    this.#rows_max = Math.min(options.rows_max, batch_rows_max);
  }

  status(): LaneStatus {
    return this.#status;
  }

  /** Delivers until `stopped`. */
  async run(stopped: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!stopped.aborted) {
      const { signal } = this.#together.wake;
      let pause_ms: number;
      try {
        pause_ms = await this.#deliverNext(stopped);
      } catch (error) {
        // The batch's id and HQ's answer are kept on disk too; while it is full, nothing is sent.
        this.#failing('retrying', errorText(error));
        pause_ms = disk_retry_ms;
      }
      const isIdle = this.#status.state === 'idle' && this.#lane === 'backlog';
      await clock.sleep(pause_ms, isIdle ? AbortSignal.any([stopped, signal]) : stopped);
    }
  }

  /** @returns the pause before the next batch, ms. */
  async #deliverNext(stopped: AbortSignal): Promise<number> {
    const next = await this.#take();
    if (next === null) {
      this.#status = { ...this.#status, state: 'idle', error: null };
      return this.#options.send_interval_ms;
    }
    try {
      return await this.#settle(next, await this.#send(next, stopped));
    } finally {
      this.#together.held.delete(next.batch.batch_id);
    }
  }

  /** A batch that no other lane has, or null. From then on it is held. */
  #take(): Promise<OutgoingBatch | null> {
    const { held, taking } = this.#together;
    const taken = taking.then(async () => {
      const mayWork = this.#lane === 'live' || this.#place < this.#together.budget.in_flight;
      if (!mayWork) return null;
      const next = await this.#options.buffer.nextBatch(this.#lane, this.#rows_max, [...held]);
      if (next !== null) held.add(next.batch.batch_id);
      return next;
    });
    this.#together.taking = taken.catch(() => {});
    return taken;
  }

  async #send({ batch, rows, body }: OutgoingBatch, stopped: AbortSignal): Promise<Outcome> {
    const { client, credential } = this.#options;
    const authorization = bearer(credential);
    try {
      const answer = await client.post(
        { path: '/v1/batches', body, gzip: true, authorization, lane: this.#lane },
        stopped,
      );
      return outcomeOf(answer, { ...batch, rows });
    } catch (error) {
      return { kind: 'retry', after_ms: null, reason: errorText(error) };
    }
  }

  /** @returns the pause before the next batch, ms. */
  async #settle(sent: OutgoingBatch, outcome: Outcome): Promise<number> {
    switch (outcome.kind) {
      case 'delivered':
        return this.#delivered(sent, outcome.answer);
      case 'split':
        await this.#split(sent, outcome);
        return 0;
      case 'refused':
        this.#failing('refused', outcome.reason);
        return refused_pause_ms;
      case 'retry': {
        const { clock, retry_max_ms } = this.#options;
        this.#failing('retrying', outcome.reason);
        const bounds = { base_ms: retry_base_ms, cap_ms: retry_max_ms };
        const wait_ms = backoff_ms(this.#attempt, bounds, clock.random);
        this.#attempt += 1;
        // Whom HQ turned away together must not come back together.
        const asked_ms = (outcome.after_ms ?? 0) * (1 + clock.random());
        return Math.max(asked_ms, wait_ms);
      }
    }
  }

  async #delivered(
    { batch, rows }: OutgoingBatch,
    { rejected, backlog }: Extract<Outcome, { kind: 'delivered' }>['answer'],
  ): Promise<number> {
    const { buffer, clock, log, rows_max, send_interval_ms } = this.#options;
    await buffer.settle(batch, rejected);
    if (rejected.length > 0) log.warn({ rejected: rejected.length }, 'HQ refused readings');
    if (backlog !== undefined) this.#together.budget = backlog;
    this.#wakeIdleLanes();
    const isFull = rows >= this.#rows_max;
    this.#attempt = 0;
    this.#rows_max = Math.min(this.#rows_max * 2, rows_max, batch_rows_max);
    this.#status = { state: 'delivering', error: null, last_delivered_at: clock.now() };
    if (this.#lane === 'backlog') return this.#together.budget.pause_ms;
    return isFull ? 0 : send_interval_ms;
  }

  /** HQ takes what we send: whatever else waits need not wait for its turn to look. */
  #wakeIdleLanes(): void {
    const { wake } = this.#together;
    this.#together.wake = new AbortController();
    wake.abort();
  }

  /** Halves the batch until the reading that HQ cannot take stands alone, and sets that aside. */
  async #split(
    { batch, rows }: OutgoingBatch,
    { code, detail }: { code: string; detail: string },
  ): Promise<void> {
    const { buffer, log } = this.#options;
    if (rows === 1) {
      await buffer.refuse(batch, { code, detail });
      log.warn({ sequence: batch.last_sequence, code, detail }, 'HQ refused a reading');
      return;
    }
    await buffer.abandon(batch.batch_id);
    this.#rows_max = Math.max(1, Math.ceil(Math.min(rows, this.#rows_max) / 2));
  }

  #failing(state: 'refused' | 'retrying', reason: string): void {
    const { lane, detail } = { lane: this.#lane, detail: reason };
    if (this.#status.error !== reason) this.#options.log.warn({ lane, detail }, 'sync');
    this.#status = { ...this.#status, state, error: reason };
  }
}
