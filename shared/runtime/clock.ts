/**
 * The only place that reads clocks, sets timers and draws random numbers, so that tests can hold
 * all three. Wall and monotonic time are apart because store PCs boot in the past and jump.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, whole milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` after `ms` unless the returned function is called first. */
  after(ms: number, run: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
  /** A version 7 UUID: its first 48 bits are the wall clock, so ids sort by age (RFC 9562 5.7). */
  uuid(): string;
}

/** Time that no setting of the clock changes, and that processes of one boot share. */
export interface BootClock {
  readonly boot_id: string;
  /** Milliseconds since that boot. */
  uptime_ms(): number;
}

/** @throws where the system is no Linux. */
export function systemBoot(): BootClock {
  return {
    boot_id: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    // CLOCK_MONOTONIC: since boot on Linux, for every process the same.
    uptime_ms: () => Number(process.hrtime.bigint() / 1_000_000n),
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  },
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  uuid: () => uuidVersion7(Date.now()),
};

function uuidVersion7(ms: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(ms, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join('-');
}

/**
 * Full jitter: uniform between 0 and an exponentially growing ceiling, the first retry included,
 * because a thousand gateways lose the same HQ in the same second.
 *
 * @param attempt 0 for the first retry.
 * @returns milliseconds to wait.
 */
export function backoff_ms(
  attempt: number,
  bounds: { base_ms: number; cap_ms: number },
  random: () => number,
): number {
  const ceiling = Math.min(bounds.cap_ms, bounds.base_ms * 2 ** Math.min(attempt, 30));
  return Math.round(random() * ceiling);
}
