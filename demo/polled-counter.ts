/**
 * The two counters of a device that is asked for them, and when people may walk through its door.
 *
 * Whoever reads a running total knows only differences: of nobody before the first reading, and then not
 * on which side of a quarter hour somebody walked between two readings. So people wait, from before a
 * quarter hour ends until the next one has been read, however long that takes: the gateway may be down.
 */
import type { Clock } from '../shared/runtime/clock.ts';
import { type Direction, quarter_hour_ms, type Sums } from './door.ts';

/** A gateway asks again after it has stored an answer, and on a busy machine an answer may be too late. */
const readings_to_open = 3;
/** An answer of before the end of a quarter hour is not received later than this after it was given. */
const on_its_way_ms = 5_000;

export interface PolledCounterOptions {
  readonly start: Sums;
  /** Width of each counter; it wraps to 0 beyond. */
  readonly bits: number;
  readonly clock: Clock;
}

export class PolledCounter {
  readonly #options: PolledCounterOptions;
  readonly #counts: Sums;
  /** When the quarter hour began in which it was last read. */
  #quarter = 0;
  /** In that quarter hour. */
  #readings = 0;

  constructor(options: PolledCounterOptions) {
    this.#options = options;
    this.#counts = { ...options.start };
  }

  /** Whether somebody who walks now stands in this quarter hour for whoever reads the counter. */
  isOpen(at: number): boolean {
    const into = at - this.#quarter;
    return this.#readings >= readings_to_open && into < quarter_hour_ms - on_its_way_ms;
  }

  cross(direction: Direction): void {
    this.#counts[direction] = (this.#counts[direction] + 1) % 2 ** this.#options.bits;
  }

  /** What the device answers now. */
  read(): Sums {
    const now = this.#options.clock.now();
    const quarter = now - (now % quarter_hour_ms);
    this.#readings = quarter === this.#quarter ? this.#readings + 1 : 1;
    this.#quarter = quarter;
    return { ...this.#counts };
  }
}
