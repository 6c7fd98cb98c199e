/** Requests to HQ, each with a deadline. Knows HTTP, nothing of the buffer. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { HttpAnswer } from './outcome.ts';

export interface HqRequest {
  readonly path: '/v1/enroll' | '/v1/batches' | '/v1/heartbeats';
  readonly body: string | Uint8Array;
  readonly authorization?: string;
  readonly gzip?: boolean;
}

/** A store's slow line takes a while for a full batch; a dead one must not hold the queue longer. */
const deadline_ms = 30_000;

export class HqClient {
  readonly #url: string;
  readonly #clock: Clock;

  /** @param url HQ's address, with or without a path in front of `/v1`. */
  constructor(url: string, clock: Clock) {
    this.#url = url.replace(/\/+$/, '');
    this.#clock = clock;
  }

  /** @throws FootbridgeError hq_unreachable when no HTTP answer came. */
  async post(request: HqRequest, stopped?: AbortSignal): Promise<HttpAnswer> {
    const deadline = new AbortController();
    const cancel = this.#clock.after(deadline_ms, () =>
      deadline.abort(new Error('no answer in 30 s')),
    );
    const signals = stopped === undefined ? [deadline.signal] : [deadline.signal, stopped];
    try {
      const response = await fetch(`${this.#url}${request.path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(request.gzip === true ? { 'content-encoding': 'gzip' } : {}),
          ...(request.authorization === undefined ? {} : { authorization: request.authorization }),
        },
        body: request.body,
        // A redirect would carry the credential to a place that nobody enrolled with.
        redirect: 'error',
        signal: AbortSignal.any(signals),
      });
      const retry_after = response.headers.get('retry-after');
      return { status: response.status, retry_after, body: await response.text() };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new FootbridgeError('hq_unreachable', `${this.#url}: ${errorText(cause)}`, {
        cause: error,
      });
    } finally {
      cancel();
    }
  }
}
