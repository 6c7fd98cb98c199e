/**
 * When a group is written. Each commit costs the flash two pages at least, whatever it holds: one
 * reading alone 8 kB, fifty together 200 bytes each. So a commit follows at once as long as that is
 * rare, and a store that counts without pause gathers its readings for up to a second. Pure.
 */

/** How acknowledgements and flash are weighed: `eco` is for SD cards. */
export type CommitMode = 'prompt' | 'eco';

/** A group waits this long for company at least; half of it is the mean delay of a busy gateway. */
const prompt_ms = 10;
/** A group of so many is worth its pages, and waits no longer than it takes to be one. */
export const worthwhile_entries = 50;
const worthwhile_ms = 5;
/** A smaller one waits no longer than this when too many small ones went before it. */
const thrifty_ms = 1_000;
const eco_ms = 5_000;
/** Small groups in a row that are written at once. */
const small_max = 200;
/** And how soon another may be: 8 kB in twenty seconds are 35 MB a day. */
const small_every_ms = 20_000;
/** Devices that wait for their acknowledgement before they go on send nothing meanwhile. */
const quiet_ms = 100;
/** A wait that brought no more than this was for nothing: the next groups are prompt again. */
const lonely_entries = 5;

/** A group that gathers; times are monotonic, ms. */
export interface Gathering {
  readonly entries: number;
  readonly opened_at: number;
  readonly last_at: number;
}

export class CommitPace {
  readonly #mode: CommitMode;
  #small_left = small_max;
  #counted_at: number;

  /** @param now monotonic, ms. */
  constructor(mode: CommitMode, now: number) {
    this.#mode = mode;
    this.#counted_at = now;
  }

  /** When the group is written if nothing else comes, monotonic ms. */
  due_at({ entries, opened_at, last_at }: Gathering, now: number): number {
    if (this.#mode === 'eco') return opened_at + eco_ms;
    if (entries >= worthwhile_entries) return opened_at + worthwhile_ms;
    if (this.#left(now) >= 1) return opened_at + prompt_ms;
    return Math.min(opened_at + thrifty_ms, last_at + quiet_ms);
  }

  /** @param entries of the group that is written now. */
  spent(entries: number, now: number): void {
    const left = this.#left(now);
    this.#counted_at = now;
    if (entries >= worthwhile_entries) this.#small_left = left;
    else if (left < 1 && entries < lonely_entries) this.#small_left = small_max;
    else this.#small_left = Math.max(0, left - 1);
  }

  #left(now: number): number {
    return Math.min(small_max, this.#small_left + (now - this.#counted_at) / small_every_ms);
  }
}
