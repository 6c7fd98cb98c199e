/**
 * A wall clock that jumps under a running gateway, by Debian's libfaketime: what the process asks of the
 * kernel is answered with a difference that a file says. Its monotonic clock runs on.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faketimeLibrary } from '../support/debian-part.ts';

const hour_s = 3_600;
/**
 * Hours to days. A clock that is behind its own last count by less than an hour counts as not set, and
 * what comes then would wait for that hour, longer than a run.
 */
const jump_s = { min: 2 * hour_s, max: 72 * hour_s };
/** How often a clock that is wrong is set right by the next jump. */
const cured_share = 0.4;

export class WrongClock {
  /** For the process that has the clock; empty where libfaketime is not installed. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #file: string;
  readonly #random: () => number;

  constructor(around: string, random: () => number) {
    const library = faketimeLibrary();
    this.#file = join(around, 'clock');
    this.#random = random;
    this.setRight();
    this.environment =
      library === undefined
        ? {}
        : {
            LD_PRELOAD: library,
            FAKETIME_TIMESTAMP_FILE: this.#file,
            FAKETIME_CACHE_DURATION: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
            NO_FAKE_STAT: '1',
          };
  }

  get isInstalled(): boolean {
    return this.environment['LD_PRELOAD'] !== undefined;
  }

  /** Forward or back by hours or days, or to the true time. */
  jump(): void {
    const isCured = this.#random() < cured_share;
    const length_s = jump_s.min + this.#random() * (jump_s.max - jump_s.min);
    const sign = this.#random() < 0.5 ? -1 : 1;
    this.#say(isCured ? 0 : sign * Math.round(length_s));
  }

  setRight(): void {
    this.#say(0);
  }

  #say(ahead_s: number): void {
    writeFileSync(this.#file, `${ahead_s < 0 ? '' : '+'}${ahead_s}\n`);
  }
}
