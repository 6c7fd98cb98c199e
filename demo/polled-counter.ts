/**
 * The two counters of a device that is asked for them, and the moment its door may open.
 *
 * Whoever reads a cumulative counter knows only differences, from its first reading on. So nobody
 * may walk before that reading is safe: a gateway asks a second time only after it has stored the
 * first answer, and the second question opens the door.
 */
import type { Direction, Sums } from './door.ts';

export class PolledCounter {
  readonly #counts: Sums;
  readonly #bits: number;
  readonly #onSecondReading: () => void;
  #readings = 0;

  /** @param bits width of each counter; it wraps to 0 beyond. */
  constructor(options: { start: Sums; bits: number; onSecondReading: () => void }) {
    this.#counts = { ...options.start };
    this.#bits = options.bits;
    this.#onSecondReading = options.onSecondReading;
  }

  cross(direction: Direction): void {
    this.#counts[direction] = (this.#counts[direction] + 1) % 2 ** this.#bits;
  }

  /** What the device answers now. */
  read(): Sums {
    this.#readings += 1;
    if (this.#readings === 2) this.#onSecondReading();
    return { ...this.#counts };
  }
}
