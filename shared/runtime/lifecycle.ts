/** Starts parts in order and stops them in reverse, each stop with a deadline. */
import type { Clock } from './clock.ts';
import { errorText } from './errors.ts';
import type { Log } from './log.ts';

export interface Part {
  readonly name: string;
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
}

/** A part that hangs while stopping must not keep systemd waiting until it kills the process. */
const stop_deadline_ms = 8_000;

export class Lifecycle {
  readonly #started: Part[] = [];
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Starts every part; when one fails, stops those already started and throws its error. */
  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      try {
        await part.start();
        this.#started.push(part);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  async stop(): Promise<void> {
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      await this.#stopOne(part);
    }
  }

  async #stopOne(part: Part): Promise<void> {
    const finished = new AbortController();
    const overdue = this.#clock.sleep(stop_deadline_ms, finished.signal).then(() => {
      if (!finished.signal.aborted) {
        this.#log.warn({ part: part.name, deadline_ms: stop_deadline_ms }, 'part did not stop');
      }
    });
    try {
      await Promise.race([part.stop(), overdue]);
    } catch (error) {
      this.#log.warn({ part: part.name, detail: errorText(error) }, 'part failed while stopping');
    } finally {
      finished.abort();
    }
  }
}

/** Resolves with the first termination signal. */
export function terminationSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
