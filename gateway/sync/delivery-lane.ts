/**
 * One lane of delivery: takes a batch, sends it, does what HQ's answer says, and again. A batch keeps
 * its id and its bytes until HQ has answered for every row; nothing else may make the gateway forget
 * a reading.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { BacklogBudget } from '../../shared/wire/batch.ts';
import type { OutgoingBatch } from '../buffer/delivery.ts';
import type { Lane } from '../buffer/entry.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';
import { LanePace } from './lane-pace.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

export interface LaneOptions {
  readonly buffer: Pick<ReadingBuffer, 'nextBatch' | 'settle' | 'refuse' | 'abandon'>;
  readonly client: HqClient;
  readonly credential: Credential;
  /** Pause while there is nothing to send, so that readings gather into one request. */
  readonly send_interval_ms: number;
  /** Longest pause between tries of the backlog while HQ is away. */
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
  /** Aborted, and replaced, when HQ has answered a lane that it did not answer before. */
  recovery: AbortController;
}

/** Before HQ has granted anything. */
export function newLanes(): LanesTogether {
  return {
    held: new Set(),
    taking: Promise.resolve(),
    budget: { in_flight: 1, pause_ms: 0 },
    wake: new AbortController(),
    recovery: new AbortController(),
  };
}

export interface LaneStatus {
  readonly state: 'idle' | 'delivering' | 'retrying' | 'refused';
  /** Why the last try failed, or null. */
  readonly error: string | null;
  /** ms since the epoch of the last batch that HQ settled, or null. */
  readonly last_delivered_at: number | null;
}

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
  readonly #pace: LanePace;
  /** HQ, or its absence, has named no time: the pause is our own guess. */
  #isGuessing = false;

  constructor(lane: Lane, place: number, options: LaneOptions, together: LanesTogether) {
    this.#lane = lane;
    this.#place = place;
    this.#options = options;
    this.#together = together;
    this.#pace = new LanePace(lane, options);
  }

  status(): LaneStatus {
    return this.#status;
  }

  /** Delivers until `stopped`. */
  async run(stopped: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!stopped.aborted) {
      const { wake, recovery } = this.#together;
      let pause_ms: number;
      try {
        pause_ms = await this.#deliverNext(stopped);
      } catch (error) {
        // The batch's id and HQ's answer are kept on disk too; while it is full, nothing is sent.
        this.#failing('retrying', errorText(error));
        pause_ms = disk_retry_ms;
      }
      const isIdle = this.#status.state === 'idle' && this.#lane === 'backlog';
      const news = isIdle ? wake.signal : this.#isGuessing ? recovery.signal : undefined;
      await clock.sleep(pause_ms, news === undefined ? stopped : AbortSignal.any([stopped, news]));
    }
  }

  /** @returns the pause before the next batch, ms. */
  async #deliverNext(stopped: AbortSignal): Promise<number> {
    this.#isGuessing = false;
    const next = await this.#take();
    if (next === null) {
      this.#status = { ...this.#status, state: 'idle', error: null };
      return this.#options.send_interval_ms;
    }
    const { clock } = this.#options;
    const sent_at = clock.monotonic();
    try {
      const outcome = await this.#send(next, stopped);
      return await this.#settle(next, outcome, clock.monotonic() - sent_at);
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
      const next = await this.#options.buffer.nextBatch(this.#lane, this.#pace.rows_max, [...held]);
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
  async #settle(sent: OutgoingBatch, outcome: Outcome, took_ms: number): Promise<number> {
    switch (outcome.kind) {
      case 'delivered':
        return this.#delivered(sent, outcome.answer, took_ms);
      case 'split':
        await this.#split(sent, outcome);
        return 0;
      case 'shrink':
        if (sent.rows <= 1) return this.#retry({ after_ms: null, reason: outcome.reason });
        await this.#shrink(sent, outcome.reason);
        return 0;
      case 'refused':
        this.#failing('refused', outcome.reason);
        return refused_pause_ms * (1 + this.#options.clock.random());
      case 'retry':
        return this.#retry(outcome);
    }
  }

  /** @returns how long to wait. */
  #retry({ after_ms, reason }: { after_ms: number | null; reason: string }): number {
    const { pause_ms } = this.#together.budget;
    this.#failing('retrying', reason);
    this.#isGuessing = after_ms === null;
    if (this.#lane === 'backlog') this.#knockAlone();
    return this.#pace.retry({ after_ms, pause_ms }, this.#options.clock.random);
  }

  /** Until HQ grants lanes anew, one asks whether it is there. */
  #knockAlone(): void {
    const { in_flight, pause_ms } = this.#together.budget;
    this.#together.budget = { in_flight: Math.min(in_flight, 1), pause_ms };
  }

  async #delivered(
    { batch, rows }: OutgoingBatch,
    { rejected, backlog }: Extract<Outcome, { kind: 'delivered' }>['answer'],
    took_ms: number,
  ): Promise<number> {
    const { buffer, clock, log, send_interval_ms } = this.#options;
    await buffer.settle(batch, rejected);
    if (rejected.length > 0) log.warn({ rejected: rejected.length }, 'HQ refused readings');
    if (backlog !== undefined) this.#together.budget = backlog;
    this.#wakeIdleLanes();
    if (this.#pace.isRetrying) this.#wakeGuessingLanes();
    const isFull = rows >= this.#pace.rows_max;
    this.#pace.delivered(rows, took_ms);
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

  /** HQ is back: who only guesses when it will be need not wait for that. */
  #wakeGuessingLanes(): void {
    const { recovery } = this.#together;
    this.#together.recovery = new AbortController();
    recovery.abort();
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
    this.#pace.halve(rows);
  }

  async #shrink({ batch, rows }: OutgoingBatch, reason: string): Promise<void> {
    await this.#options.buffer.abandon(batch.batch_id);
    this.#pace.shrink(rows);
    this.#options.log.warn({ rows, detail: reason }, 'a batch was too large for the line');
  }

  #failing(state: 'refused' | 'retrying', reason: string): void {
    const { lane, detail } = { lane: this.#lane, detail: reason };
    if (this.#status.error !== reason) this.#options.log.warn({ lane, detail }, 'sync');
    this.#status = { ...this.#status, state, error: reason };
  }
}
