/** Sends the evidence of walk tests and audits to HQ, oldest first, each until HQ has answered. */
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import {
  type CommissioningRecord,
  commissioningAnswerSchema,
} from '../../shared/wire/commissioning.ts';
import type { CommissioningOutbox } from './commissioning-outbox.ts';
import { bearer, type Credential } from './credential.ts';
import type { HqClient } from './hq-client.ts';

export interface CommissioningLoopOptions {
  readonly outbox: CommissioningOutbox;
  readonly client: HqClient;
  readonly credential: Credential;
  readonly retry_max_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

const retry_base_ms = 1_000;
/** Woken by each new record. */
const idle_ms = 60 * 60 * 1000;

export class CommissioningLoop implements Part {
  readonly name = 'commissioning';
  readonly #options: CommissioningLoopOptions;
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: CommissioningLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.outbox.whenKept(() => this.#wake.abort());
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { outbox, credential, retry_max_ms, clock } = this.#options;
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController();
      const record = outbox.next(credential.gateway_id);
      if (record === undefined) {
        attempt = 0;
        await clock.sleep(idle_ms, this.#wake.signal);
        continue;
      }
      const fate = await this.#send(record);
      if (fate !== 'retry') {
        outbox.settle(record.record_id, fate);
        attempt = 0;
        continue;
      }
      const bounds = { base_ms: retry_base_ms, cap_ms: retry_max_ms };
      await clock.sleep(backoff_ms(attempt, bounds, clock.random), this.#stop.signal);
      attempt += 1;
    }
  }

  /** Only HQ's own words settle a record: a proxy's page is a retry. */
  async #send(record: CommissioningRecord): Promise<'delivered' | 'refused' | 'retry'> {
    const { client, credential, log } = this.#options;
    try {
      const answer = await client.post(
        {
          path: '/v1/commissioning',
          body: JSON.stringify(record),
          authorization: bearer(credential),
        },
        this.#stop.signal,
      );
      if (answer.status === 200) {
        const { record_id } = commissioningAnswerSchema.parse(JSON.parse(answer.body));
        return record_id === record.record_id ? 'delivered' : 'retry';
      }
      const error = errorOfBody(answer.body);
      if (![400, 413, 422].includes(answer.status) || error === null) return 'retry';
      log.warn({ record_id: record.record_id, detail: errorText(error) }, 'walk test refused');
      return 'refused';
    } catch (error) {
      // The sync loop already reports an HQ that is away.
      log.debug({ detail: errorText(error) }, 'walk test not delivered');
      return 'retry';
    }
  }
}
