/** Who may open the store's page: requests meant for this machine, and where a PIN is set, who knows it. */
import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Clock } from '../../shared/runtime/clock.ts';

/** Wrong PINs a minute, whoever types them: ten thousand take a week. */
const wrong_pins_max = 5;
const minute_ms = 60_000;

/**
 * Whether a request was meant for this machine. A page elsewhere can point its own name at our
 * address (DNS rebinding), but it cannot make the browser send another Host than that name; an
 * address is nobody's name.
 *
 * @param host the Host header, with or without a port.
 */
export function isOwnHost(host: string | undefined, hostname: string): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  const own = hostname.toLowerCase();
  if (['localhost', own, `${own}.local`].includes(name)) return true;
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** One PIN for the page; the cookie of who typed it holds until the PIN changes. */
export class PinLock {
  readonly #pin: Buffer;
  readonly #token: string;
  readonly #clock: Clock;
  #wrong: number[] = [];

  constructor(pin: string, clock: Clock) {
    this.#pin = digest(pin);
    // Slow to guess from a cookie, which leaves the phone more easily than the file the machine.
    this.#token = scryptSync(pin, 'footbridge page', 32).toString('base64url');
    this.#clock = clock;
  }

  /** @returns the cookie's value, null for a wrong PIN, `later` after too many. */
  enter(pin: string): string | null | 'later' {
    const now = this.#clock.monotonic();
    this.#wrong = this.#wrong.filter((at) => now - at < minute_ms);
    if (this.#wrong.length >= wrong_pins_max) return 'later';
    if (timingSafeEqual(digest(pin), this.#pin)) return this.#token;
    this.#wrong.push(now);
    return null;
  }

  knows(token: string | undefined): boolean {
    return timingSafeEqual(digest(token ?? ''), digest(this.#token));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
