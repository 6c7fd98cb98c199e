/** Requests to HQ, each with a deadline. Knows HTTP, nothing of the buffer. */

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { type HqTransportOptions, hqAgent } from './hq-transport.ts';
import type { HttpAnswer } from './outcome.ts';

export interface HqRequest {
  readonly path:
    | '/v1/enroll'
    | '/v1/batches'
    | '/v1/heartbeats'
    | '/v1/credentials'
    | '/v1/commissioning';
  readonly body: string | Uint8Array;
  readonly authorization?: string;
  readonly gzip?: boolean;
  /** Which lane a batch travels on: HQ may turn backlog away before it reads it. */
  readonly lane?: 'live' | 'backlog';
}

export interface HqClientOptions extends HqTransportOptions {
  /** Upload limit in bytes a second, for a line that others need too; absent: as fast as it goes. */
  readonly upload_bytes_per_s?: number | undefined;
}

/** HQ answers within this time once it has the body; a dead line must not hold the queue longer. */
const answer_deadline_ms = 30_000;
/** The slowest line that is still a line, bytes a second: what a body may take on top. */
const slowest_bytes_per_s = 1_000;
/** An answer is a few hundred bytes, or a line for each reading refused. */
const answer_bytes_max = 4 * 1024 * 1024;
/** Pieces of a capped upload. */
const piece_bytes = 1_024;

export class HqClient {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #agent: http.Agent;
  readonly #upload_bytes_per_s: number | undefined;
  /** When the line is free again, on the monotonic clock: all requests share the cap. */
  #line_free_at = 0;

  /**
   * @param url HQ's address, with or without a path in front of `/v1`.
   * @throws FootbridgeError config_invalid when a file of the options cannot be read.
   */
  constructor(url: string, clock: Clock, options: HqClientOptions = {}) {
    this.#url = url.replace(/\/+$/, '');
    this.#clock = clock;
    this.#agent = hqAgent(new URL(url), options);
    this.#upload_bytes_per_s = options.upload_bytes_per_s;
  }

  /** @throws FootbridgeError hq_unreachable when no HTTP answer came. */
  async post(request: HqRequest, stopped?: AbortSignal): Promise<HttpAnswer> {
    const body = Buffer.from(request.body);
    const slowest = this.#upload_bytes_per_s ?? slowest_bytes_per_s;
    const allowed_ms = answer_deadline_ms + (body.length / slowest) * 2_000;
    const deadline = new AbortController();
    const cancel = this.#clock.after(allowed_ms, () => {
      deadline.abort(new Error(`no answer in ${Math.round(allowed_ms / 1000)} s`));
    });
    const signals = stopped === undefined ? [deadline.signal] : [deadline.signal, stopped];
    const signal = AbortSignal.any(signals);
    try {
      return await this.#exchange(request, body, signal);
    } catch (error) {
      const cause = deadline.signal.aborted ? deadline.signal.reason : error;
      throw new FootbridgeError('hq_unreachable', `${this.#url}: ${errorText(cause)}`, {
        cause: error,
      });
    } finally {
      cancel();
    }
  }

  /** Closes the connections that are kept open. */
  close(): void {
    this.#agent.destroy();
  }

  async #exchange(request: HqRequest, body: Buffer, signal: AbortSignal): Promise<HttpAnswer> {
    const { path, authorization, gzip, lane } = request;
    const url = new URL(this.#url + path);
    const sent = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      agent: this.#agent,
      signal,
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        ...(gzip === true ? { 'content-encoding': 'gzip' } : {}),
        ...(authorization === undefined ? {} : { authorization }),
        ...(lane === undefined ? {} : { 'footbridge-lane': lane }),
      },
    });
    sent.on('error', () => {});
    // HQ may refuse before it has read the body: its answer counts, not the line that it closes.
    const answered = answerOf(sent);
    answered.catch(() => {});
    await Promise.race([this.#write(sent, body, signal), answered.then(() => {})]);
    return answered;
  }

  async #write(sent: http.ClientRequest, body: Buffer, signal: AbortSignal): Promise<void> {
    const cap = this.#upload_bytes_per_s;
    if (cap === undefined) {
      sent.end(body);
      return;
    }
    for (let at = 0; at < body.length && !signal.aborted && !sent.destroyed; at += piece_bytes) {
      const piece = body.subarray(at, at + piece_bytes);
      const now = this.#clock.monotonic();
      const free_at = Math.max(this.#line_free_at, now);
      this.#line_free_at = free_at + (piece.length / cap) * 1000;
      await this.#clock.sleep(free_at - now, signal);
      sent.write(piece);
    }
    sent.end();
  }
}

/** The whole answer. A redirect is an answer too: nobody follows it with the credential. */
async function answerOf(sent: http.ClientRequest): Promise<HttpAnswer> {
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > answer_bytes_max)
      throw new Error(`the answer has more than ${answer_bytes_max} bytes`);
  }
  if (!response.complete) throw new Error('the answer ended early');
  return {
    status: response.statusCode ?? 0,
    retry_after: response.headers['retry-after'] ?? null,
    date: response.headers.date ?? null,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}
