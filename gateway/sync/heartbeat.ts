/**
 * Tells HQ regularly how this gateway is, and hears what HQ has of its readings. Nothing is delivered
 * before the first answer: the disk may be an old image, which does not know what was sent since.
 */
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { ConfigurationReport } from '../../shared/wire/configuration.ts';
import {
  type Heartbeat,
  type HeartbeatAnswer,
  heartbeatAnswerSchema,
} from '../../shared/wire/heartbeat.ts';
import type { Range } from '../buffer/range.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';
import { type Unheard, unheardOf } from './outcome.ts';
import { rotateKey } from './rotate-key.ts';

/** Who keeps what HQ wants sensors and zones to be called; see pairing/desired-names.ts. */
export interface Names {
  report(gateway_id: string): ConfigurationReport;
  take(gateway_id: string, told: { version: number; desired?: unknown }): void;
}

export interface HeartbeatOptions {
  readonly client: HqClient;
  readonly credential: Credential;
  readonly credential_path: string;
  readonly buffer: Pick<ReadingBuffer, 'reconcile' | 'stats'>;
  readonly report: () => Promise<Heartbeat>;
  readonly names: Names;
  readonly interval_ms: number;
  /** By the clock of HQ's database, the same for all connections of the process. */
  readonly first_answer: { heard_at?: number | undefined };
  /** Longest pause between tries before the first answer. */
  readonly retry_max_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Why HQ has not answered yet. */
export interface Unanswered {
  readonly state: 'retrying' | 'refused';
  readonly error: string;
}

/** Beyond this, readings stand in the wrong minute; HQ and the doctor say so. */
const skew_warn_ms = 60_000;

const retry_base_ms = 1_000;
/** A refused credential is not cured by hurry. */
const refused_pause_ms = 60_000;

export class HeartbeatLoop implements Part {
  readonly name = 'heartbeat';
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  readonly #answered = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #attempt = 0;
  #unanswered: Unanswered | null = null;
  #skew_ms: number | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Aborted when HQ has answered for the first time, and the log goes by it. */
  get answered(): AbortSignal {
    return this.#answered.signal;
  }

  /** What the first answer waits for; null: nothing has failed. */
  get unanswered(): Unanswered | null {
    return this.#unanswered;
  }

  /** How far this gateway's clock is ahead of HQ's, ms; null before the first answer. */
  get skew_ms(): number | null {
    return this.#skew_ms;
  }

  async #run(): Promise<void> {
    const { clock, interval_ms } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pause_ms = await this.#beat();
      await clock.sleep(this.answered.aborted ? interval_ms : pause_ms, signal);
    }
  }

  /** @returns the pause before the next try while HQ has not answered yet, ms. */
  async #beat(): Promise<number> {
    const { client, credential, buffer, report, names, first_answer } = this.#options;
    const { gateway_id } = credential;
    let told: HeartbeatAnswer;
    try {
      const { settled } = await buffer.stats();
      const state = { ...(await report()), ...first_answer };
      const heartbeat = { ...state, configuration: names.report(gateway_id) };
      const answer = await client.post(
        {
          path: '/v1/heartbeats',
          body: JSON.stringify(heartbeat),
          authorization: bearer(credential),
        },
        this.#stop.signal,
      );
      if (answer.status !== 200) return this.#failing(unheardOf(answer));
      told = heartbeatAnswerSchema.parse(JSON.parse(answer.body));
      await this.#hear(heartbeat, settled, told);
    } catch (error) {
      return this.#failing({ kind: 'retry', after_ms: null, reason: errorText(error) });
    }
    if (this.#unanswered !== null) this.#options.log.info('HQ has answered');
    this.#unanswered = null;
    this.#answered.abort();
    if (told.rotate === true) await this.#rotate();
    return 0;
  }

  /** HQ asks again with each answer. A full disk or a busy HQ fails here, and deliveries go on. */
  async #rotate(): Promise<void> {
    const { log } = this.#options;
    try {
      await rotateKey(this.#options);
      log.info('the key was replaced');
    } catch (error) {
      log.warn({ detail: errorText(error) }, 'the key could not be replaced; tried again');
    }
  }

  async #hear(
    heartbeat: Heartbeat,
    settled: readonly Range[],
    told: HeartbeatAnswer,
  ): Promise<void> {
    const { credential, names, clock, log } = this.#options;
    this.#skew_ms = clock.now() - told.server_time;
    if (Math.abs(this.#skew_ms) > skew_warn_ms) log.warn({ skew_ms: this.#skew_ms }, 'clock');
    if (told.configuration !== undefined) {
      names.take(credential.gateway_id, told.configuration);
    }
    await this.#reconcile(heartbeat, settled, told);
  }

  /** A disk image that was put back, or an HQ that was: whoever is behind is helped. */
  async #reconcile(
    sent: Heartbeat,
    settled: readonly Range[],
    told: HeartbeatAnswer,
  ): Promise<void> {
    const { epochs = [], held = [] } = sent;
    const losses = sent.quarantined.map((total) => ({
      ...total,
      epoch: total.epoch ?? sent.epoch,
    }));
    const asked = { epochs, settled, losses, held, isFirst: !this.answered.aborted };
    const hq = { epochs: told.epochs ?? [], counted: told.counted ?? [] };
    const found = await this.#options.buffer.reconcile(hq, asked);
    this.#options.first_answer.heard_at ??= told.heard_at;
    if (found.gained + found.lost > 0) this.#options.log.warn(found, 'reconciled');
  }

  /**
   * Later on the sync loop reports an HQ that is away; two voices for one fault help nobody.
   *
   * @returns the pause before the next try, ms.
   */
  #failing(unheard: Unheard): number {
    const { kind, reason } = unheard;
    const { clock, retry_max_ms, log } = this.#options;
    if (this.answered.aborted || this.#unanswered?.error === reason) {
      log.debug({ detail: reason }, 'heartbeat not delivered');
    } else log.warn({ detail: reason }, 'sync');
    const state = kind === 'refused' ? 'refused' : 'retrying';
    this.#unanswered = { state, error: reason };
    if (unheard.kind === 'refused') return refused_pause_ms * (1 + clock.random());
    const bounds = { base_ms: retry_base_ms, cap_ms: retry_max_ms };
    const wait_ms = backoff_ms(this.#attempt, bounds, clock.random);
    this.#attempt += 1;
    return Math.max((unheard.after_ms ?? 0) * (1 + clock.random()), wait_ms);
  }
}
