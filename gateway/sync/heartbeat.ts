/** Tells HQ regularly how this gateway is. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { ConfigurationReport } from '../../shared/wire/configuration.ts';
import {
  type Heartbeat,
  type HeartbeatAnswer,
  heartbeatAnswerSchema,
} from '../../shared/wire/heartbeat.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';
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
  readonly buffer: Pick<ReadingBuffer, 'reconcile'>;
  readonly report: () => Promise<Heartbeat>;
  readonly names: Names;
  readonly interval_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Beyond this, readings stand in the wrong minute; HQ and the doctor say so. */
const skew_warn_ms = 60_000;

export class HeartbeatLoop implements Part {
  readonly name = 'heartbeat';
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
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

  /** How far this gateway's clock is ahead of HQ's, ms; null before the first answer. */
  get skew_ms(): number | null {
    return this.#skew_ms;
  }

  async #run(): Promise<void> {
    const { clock, interval_ms } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#beat();
      await clock.sleep(interval_ms, this.#stop.signal);
    }
  }

  async #beat(): Promise<void> {
    const { client, credential, report, names, clock, log } = this.#options;
    const { gateway_id } = credential;
    try {
      const heartbeat = { ...(await report()), configuration: names.report(gateway_id) };
      const answer = await client.post(
        {
          path: '/v1/heartbeats',
          body: JSON.stringify(heartbeat),
          authorization: bearer(credential),
        },
        this.#stop.signal,
      );
      if (answer.status !== 200) {
        log.debug({ status: answer.status }, 'heartbeat not taken');
        return;
      }
      const told = heartbeatAnswerSchema.parse(JSON.parse(answer.body));
      this.#skew_ms = clock.now() - told.server_time;
      if (Math.abs(this.#skew_ms) > skew_warn_ms) log.warn({ skew_ms: this.#skew_ms }, 'clock');
      if (told.configuration !== undefined) names.take(gateway_id, told.configuration);
      await this.#reconcile(heartbeat, told);
      if (told.rotate === true) {
        await rotateKey(this.#options);
        log.info('the key was replaced');
      }
    } catch (error) {
      // The sync loop already reports an HQ that is away; two voices for one fault help nobody.
      log.debug({ detail: errorText(error) }, 'heartbeat not delivered');
    }
  }

  /** A disk image that was put back, or an HQ that was: whoever is behind is helped. */
  async #reconcile(sent: Heartbeat, told: HeartbeatAnswer): Promise<void> {
    const { ack_sequence, high_sequence, lost } = told;
    const { settled_sequence } = sent;
    if (ack_sequence === undefined || high_sequence === undefined) return;
    if (settled_sequence === undefined) return;
    const hq = { ack_sequence, high_sequence, lost };
    const losses = sent.quarantined.map((total) => ({
      ...total,
      epoch: total.epoch ?? sent.epoch,
    }));
    const done = await this.#options.buffer.reconcile(hq, { settled_sequence, losses });
    if (done !== 'nothing') this.#options.log.warn({ ...hq, settled_sequence, done }, 'reconciled');
  }
}
