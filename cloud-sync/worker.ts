/** A background loop: one pass after another, sooner when woken, later after a failure. */
import type { Clock } from '../shared/runtime/clock.ts';
import { backoff_ms } from '../shared/runtime/clock.ts';
import { errorText } from '../shared/runtime/errors.ts';
import type { Part } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';

/** Passes of one worker that follow a wake-up are at least this far apart. */
const pass_gap_ms = 100;
const failure_backoff = { base_ms: 1_000, cap_ms: 30_000 };

export interface Worker extends Part {
  /** Starts the next pass now instead of after `idle_ms`. */
  wake(): void;
  /** Monotonic time of the end of the last pass, failed or not: a hung one stops moving it. */
  readonly last_pass_at: number;
  /** Monotonic time of the end of the last pass that succeeded. */
  readonly last_success_at: number;
}

export function worker(options: {
  name: string;
  idle_ms: number;
  clock: Clock;
  log: Log;
  pass: (signal: AbortSignal) => Promise<void>;
}): Worker {
  const { name, clock, log } = options;
  const stopping = new AbortController();
  let wakeUp = new AbortController();
  let running = Promise.resolve();
  let last_pass_at = clock.monotonic();
  let last_success_at = last_pass_at;

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      wakeUp = new AbortController();
      try {
        await options.pass(stopping.signal);
        failures = 0;
        last_success_at = clock.monotonic();
      } catch (error) {
        log.warn({ worker: name, detail: errorText(error) }, 'a pass failed; it runs again');
        failures += 1;
      }
      last_pass_at = clock.monotonic();
      if (failures > 0) {
        const pause = backoff_ms(failures - 1, failure_backoff, clock.random);
        await clock.sleep(Math.max(pass_gap_ms, pause), stopping.signal);
      } else {
        await clock.sleep(pass_gap_ms, stopping.signal);
        await clock.sleep(options.idle_ms, AbortSignal.any([stopping.signal, wakeUp.signal]));
      }
    }
  }

  return {
    name,
    start() {
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    wake: () => wakeUp.abort(),
    get last_pass_at() {
      return last_pass_at;
    },
    get last_success_at() {
      return last_success_at;
    },
  };
}
