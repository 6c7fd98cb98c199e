/**
 * A counter that reports every 5 s how many people passed since its last report.
 *
 * Its intervals tile time without gap or overlap and end on the clock's multiples of 5 s, so that
 * none lies across a quarter hour.
 */
import type { Clock } from '../shared/runtime/clock.ts';
import type { Direction } from './door.ts';
import type { Outbox } from './publisher.ts';

const interval_ms = 5_000;

export class MqttDeltaSensor {
  readonly #topic: string;
  readonly #publisher: Outbox;
  readonly #clock: Clock;
  readonly #started_at: number;
  #from: number;
  #sums = { in: 0, out: 0 };
  #reports = 0;
  #cancel = () => {};

  constructor(options: { sensor_id: string; publisher: Outbox; clock: Clock }) {
    this.#topic = `counters/${options.sensor_id}`;
    this.#publisher = options.publisher;
    this.#clock = options.clock;
    this.#started_at = options.clock.now();
    this.#from = this.#started_at;
  }

  /** The first interval begins. */
  start(): void {
    this.#from = this.#clock.now();
    this.#awaitEnd();
  }

  cross(direction: Direction, at: number): void {
    // The timer may be late: the interval that ended before this person must not contain them.
    this.#reportUntil(at);
    this.#sums[direction] += 1;
  }

  /** Ends the interval under way; resolves when the broker has acknowledged all reports. */
  async hold(): Promise<void> {
    this.#cancel();
    const now = this.#clock.now();
    this.#reportUntil(now);
    // An interval is half open, so it must end after a person of this very millisecond.
    this.#report(Math.min(now + 1, endOfInterval(now)));
    await this.#publisher.acknowledged();
  }

  #awaitEnd(): void {
    const now = this.#clock.now();
    this.#cancel = this.#clock.after(endOfInterval(now) - now, () => {
      this.#reportUntil(this.#clock.now());
      this.#awaitEnd();
    });
  }

  #reportUntil(at: number): void {
    for (let end = endOfInterval(this.#from); end <= at; end = endOfInterval(this.#from)) {
      this.#report(end);
    }
  }

  #report(to: number): void {
    this.#reports += 1;
    this.#publisher.publish(this.#topic, {
      id: messageId(this.#started_at, this.#reports),
      from: new Date(this.#from).toISOString(),
      to: new Date(to).toISOString(),
      ...this.#sums,
    });
    this.#from = to;
    this.#sums = { in: 0, out: 0 };
  }
}

function endOfInterval(from: number): number {
  return from - (from % interval_ms) + interval_ms;
}

/** Unique and increasing, also over restarts of the sensor. */
export function messageId(started_at: number, count: number): string {
  return `${started_at}-${String(count).padStart(9, '0')}`;
}
