/** How much one lane sends at once, and how long it waits before it asks again. Pure. */
import { backoff_ms } from '../../shared/runtime/clock.ts';
import { batch_rows_max } from '../../shared/wire/batch.ts';
import type { Lane } from '../buffer/entry.ts';

export interface PaceLimits {
  /** Readings in a batch. */
  readonly rows_max: number;
  /** Longest pause between tries of the backlog. */
  readonly retry_max_ms: number;
}

const retry_base_ms = 1_000;
/** A person waits for the present; a request a minute is what the heartbeat costs an HQ anyway. */
const live_retry_max_ms = 60_000;
/** On a slow line the present waits behind a batch of the backlog for so long at most. */
const batch_ms_max = 5_000;
/** A request has its own cost: fewer readings in each would not be faster. */
const slow_rows_min = 50;
/** One batch in fifteen then finds out whether the line takes more than it did. */
const shrunk_growth = 1.05;

export class LanePace {
  readonly #lane: Lane;
  readonly #limits: PaceLimits;
  #rows_max: number;
  /** By how much the next batch may be larger than one that was delivered. */
  #growth = 2;
  #attempt = 0;

  constructor(lane: Lane, limits: PaceLimits) {
    this.#lane = lane;
    this.#limits = { ...limits, rows_max: Math.min(limits.rows_max, batch_rows_max) };
    this.#rows_max = this.#limits.rows_max;
  }

  /** Readings for the next batch. */
  get rows_max(): number {
    return this.#rows_max;
  }

  /** Whether the last try failed. */
  get isRetrying(): boolean {
    return this.#attempt > 0;
  }

  /** A batch of so many readings was answered after so long: lanes at once share the line. */
  delivered(rows: number, took_ms: number): void {
    this.#attempt = 0;
    const grown = Math.ceil(this.#rows_max * this.#growth);
    const in_time = Math.max(slow_rows_min, Math.ceil((rows * batch_ms_max) / took_ms));
    const most = took_ms > batch_ms_max ? Math.min(grown, in_time) : grown;
    this.#rows_max = Math.min(most, this.#limits.rows_max);
  }

  halve(rows: number): void {
    this.#rows_max = Math.max(1, Math.ceil(Math.min(rows, this.#rows_max) / 2));
  }

  /** Whoever refused this size will refuse it again: up to it in small steps. */
  shrink(rows: number): void {
    this.halve(rows);
    this.#growth = shrunk_growth;
  }

  /**
   * How long to wait, ms: as HQ said, or a guess that grows; never all stores at once.
   *
   * @param told.after_ms what HQ said, or null.
   * @param told.pause_ms what HQ granted last for after each batch of backlog: who drained in company
   *   comes back in company.
   */
  retry(told: { after_ms: number | null; pause_ms: number }, random: () => number): number {
    const { retry_max_ms } = this.#limits;
    const bounds =
      this.#lane === 'live'
        ? { base_ms: retry_base_ms, cap_ms: Math.min(live_retry_max_ms, retry_max_ms) }
        : { base_ms: Math.max(retry_base_ms, told.pause_ms), cap_ms: retry_max_ms };
    const wait_ms = backoff_ms(this.#attempt, bounds, random);
    this.#attempt += 1;
    // Whom HQ turned away together must not come back together.
    return Math.max((told.after_ms ?? 0) * (1 + random()), wait_ms);
  }
}
