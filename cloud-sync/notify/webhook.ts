/**
 * Posts one message to a URL, signed as https://www.standardwebhooks.com says: the receiver can tell
 * who sent it, that it is whole, and when, and that a second delivery is the same one.
 */
import { createHmac, randomBytes } from 'node:crypto';

const deadline_ms = 15_000;
const prefix = 'whsec_';

export function newWebhookSecret(): { secret: Buffer; shown: string } {
  const secret = randomBytes(32);
  return { secret, shown: prefix + secret.toString('base64') };
}

/** @param at_s seconds since the epoch. @returns what a receiver computes too. */
function signature(secret: Buffer, id: string, at_s: number, body: string): string {
  const digest = createHmac('sha256', secret).update(`${id}.${at_s}.${body}`).digest('base64');
  return `v1,${digest}`;
}

/** @throws an Error that says what the receiver answered. */
export async function postWebhook(post: {
  url: string;
  secret: Buffer;
  /** The same for every attempt. */
  id: string;
  body: string;
  /** ms since the epoch. */
  now: number;
}): Promise<void> {
  const at_s = Math.floor(post.now / 1000);
  const response = await fetch(post.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': post.id,
      'webhook-timestamp': String(at_s),
      'webhook-signature': signature(post.secret, post.id, at_s, post.body),
    },
    body: post.body,
    // Where a redirect leads, nobody has agreed to.
    redirect: 'manual',
    signal: AbortSignal.timeout(deadline_ms),
  });
  await response.body?.cancel();
  if (response.status < 200 || response.status > 299) {
    const wait_ms = waitOf(response.headers.get('retry-after'), post.now);
    throw new WebhookRefused(response.status, wait_ms);
  }
}

/** `Retry-After` of RFC 9110, seconds or a date. @returns ms, 0 where it says nothing to go by. */
function waitOf(retry_after: string | null, now: number): number {
  if (retry_after === null) return 0;
  const wait_ms = /^\d+$/.test(retry_after.trim())
    ? Number(retry_after) * 1000
    : Date.parse(retry_after) - now;
  return Number.isFinite(wait_ms) ? Math.max(0, wait_ms) : 0;
}

export class WebhookRefused extends Error {
  readonly status: number;
  /** The receiver wants to be left alone for so long. */
  readonly wait_ms: number;

  constructor(status: number, wait_ms: number) {
    super(`the receiver answered ${status}`);
    this.status = status;
    this.wait_ms = wait_ms;
  }
}
