/**
 * Who says that this machine's clock is right, although it is behind the newest reading: it was set back
 * while nothing ran, and nobody need wait until it has caught up.
 */
import { existsSync } from 'node:fs';

/** Made by systemd-timesyncd once it has set the clock, gone with the boot (systemd-timesyncd.service(8)). */
const synchronized_path = '/run/systemd/timesync/synchronized';
/** Further off, HQ and the doctor say that the clock is wrong. */
const skew_ms_max = 60_000;

export class ClockWitness {
  readonly #path: string;
  #skew_ms: () => number | null = () => null;

  constructor(path = synchronized_path) {
    this.#path = path;
  }

  /** @param skew_ms how far the clock is ahead of HQ's; null: HQ has not been heard. */
  asksHq(skew_ms: () => number | null): void {
    this.#skew_ms = skew_ms;
  }

  get confirms(): boolean {
    const skew_ms = this.#skew_ms();
    return (skew_ms !== null && Math.abs(skew_ms) <= skew_ms_max) || existsSync(this.#path);
  }
}
