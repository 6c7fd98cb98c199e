/** A door and the people who walk through it: the truth that the whole path is measured against. */
import type { Clock } from '../shared/runtime/clock.ts';
import { seededRandom } from '../shared/runtime/seeded-random.ts';

export const quarter_hour_ms = 15 * 60_000;
/** A door is one person wide. It also keeps two crossings from having the same millisecond. */
const one_person_ms = 150;

export type Direction = 'in' | 'out';

export interface Sums {
  in: number;
  out: number;
}

export interface Truth extends Sums {
  readonly sensor_id: string;
  /** Sums by quarter hour; the key is its start, an ISO instant. */
  readonly quarter_hours: Record<string, Sums>;
}

export interface DoorOptions {
  readonly sensor_id: string;
  readonly seed: number;
  readonly rate_per_min: number;
  readonly clock: Clock;
  /** Whether people may walk now; missing: always. */
  readonly isOpen?: (at: number) => boolean;
  /** Called at the moment of each crossing, with the wall clock's time. */
  readonly onCross: (direction: Direction, at: number) => void;
}

export class Door {
  readonly #options: DoorOptions;
  readonly #random: () => number;
  readonly #quarter_hours = new Map<number, Sums>();
  #inside = 0;
  #cancel: (() => void) | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  /** People begin to walk. */
  open(): void {
    if (this.#cancel === undefined) this.#awaitNext();
  }

  /** People stop walking. */
  hold(): void {
    this.#cancel?.();
    this.#cancel = () => {};
  }

  truth(): Truth {
    const total = { in: 0, out: 0 };
    const quarter_hours: Record<string, Sums> = {};
    for (const [start, sums] of this.#quarter_hours) {
      quarter_hours[new Date(start).toISOString()] = { ...sums };
      total.in += sums.in;
      total.out += sums.out;
    }
    return { sensor_id: this.#options.sensor_id, ...total, quarter_hours };
  }

  #awaitNext(): void {
    const { clock, rate_per_min } = this.#options;
    const mean_ms = Math.max(0, 60_000 / rate_per_min - one_person_ms);
    const wait_ms = one_person_ms - Math.log(1 - this.#random()) * mean_ms;
    this.#cancel = clock.after(wait_ms, () => {
      const at = clock.now();
      if (this.#options.isOpen?.(at) !== false) this.#cross(at);
      this.#awaitNext();
    });
  }

  #cross(at: number): void {
    // More come than go until the store is full, and nobody leaves who did not come.
    const direction = this.#inside > 0 && this.#random() < this.#inside / 40 ? 'out' : 'in';
    this.#inside += direction === 'in' ? 1 : -1;
    const start = at - (at % quarter_hour_ms);
    const sums = this.#quarter_hours.get(start) ?? { in: 0, out: 0 };
    sums[direction] += 1;
    this.#quarter_hours.set(start, sums);
    this.#options.onCross(direction, at);
  }
}
