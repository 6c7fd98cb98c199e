/**
 * A counter that says its running total to a broker. A broker that is killed forgets messages it had
 * taken, and delivers others twice: only the total is true, and it must be so in the end.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import { QosOneLink } from './sensors.ts';

/** Not 0: a total before the first message is nobody's walk. */
const first_total = 1_000;
const message_ms = 50;
/** Messages to a person: 240 people a minute, below what is believed of a door. */
const messages_per_person = 5;
const waiting_max = 20;

export class TotalSensor {
  readonly sensor_id = 'total';
  readonly #clock: Clock;
  readonly #link: QosOneLink;
  readonly #stop = new AbortController();
  #total = first_total;
  #messages = 0;
  #isWalking = false;
  #running: Promise<void> = Promise.resolve();

  constructor(port: number, clock: Clock) {
    this.#clock = clock;
    this.#link = new QosOneLink('total', port, clock);
  }

  /** People who walked since the first total was stored. */
  get walked(): number {
    return this.#total - first_total;
  }

  /** Says its first total until `isStored`, then counts. */
  async begin(isStored: () => Promise<boolean>): Promise<void> {
    this.#running = this.#tell();
    while (!(await isStored())) await this.#clock.sleep(message_ms);
    this.#isWalking = true;
  }

  /** Nobody walks any more; it goes on telling its total, as such devices do. */
  hold(): void {
    this.#isWalking = false;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#link.close();
  }

  async #tell(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(message_ms, this.#stop.signal);
      if (this.#link.waiting >= waiting_max) continue;
      this.#messages += 1;
      if (this.#isWalking && this.#messages % messages_per_person === 0) this.#total += 1;
      const time = new Date(this.#clock.now()).toISOString();
      this.#link.publish('counters/total', JSON.stringify({ in: this.#total, out: 0, time }));
    }
  }
}
