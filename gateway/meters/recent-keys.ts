/**
 * Which messages were counted already. Retries, redelivery after a reconnect and devices that send
 * twice are normal; each would add people that never walked.
 *
 * The keys live in the log beside the readings they produced (one write, one transaction) and are
 * read back at start; this is their bounded memory.
 */
import type { MessageKey } from './message-key.ts';

/** A gateway that was down for a day must still know what its sensors resend from their queues. */
const recent_keys_min = 100_000;

/**
 * Two generations instead of an eviction for each key: when the younger is full, it becomes the
 * older and the older is forgotten. So at least `recent_keys_min` and at most twice as many are known.
 */
export class RecentKeys {
  #young = new KeyTable();
  #old = new KeyTable();
  /** Sensors by a number of their own, from 1. */
  readonly #sensors = new Map<string, number>();

  has(sensor_id: string, key: MessageKey): boolean {
    const sensor = this.#numberOf(sensor_id);
    return this.#young.has(sensor, key) || this.#old.has(sensor, key);
  }

  add(sensor_id: string, key: MessageKey): void {
    if (this.#young.size >= recent_keys_min) {
      this.#old = this.#young;
      this.#young = new KeyTable();
    }
    this.#young.add(this.#numberOf(sensor_id), key);
  }

  #numberOf(sensor_id: string): number {
    const known = this.#sensors.get(sensor_id);
    if (known !== undefined) return known;
    const number = this.#sensors.size + 1;
    this.#sensors.set(sensor_id, number);
    return number;
  }
}

/** Numbers of one key: its sensor, which is 0 where there is none, and its three parts. */
const parts = 4;

/**
 * A set in one block of numbers (open addressing), which garbage collection never looks into. As a Set
 * of texts, 100,000 keys took 6.7 MB where they take 2.1, and looking one up was the dearest part of a
 * message. It grows when four fifths are taken: 131,072 places do for a generation then.
 */
class KeyTable {
  #slots = new Int32Array(parts * 1024);
  size = 0;

  has(sensor: number, key: MessageKey): boolean {
    return this.#slots[this.#find(sensor, key)] !== 0;
  }

  add(sensor: number, key: MessageKey): void {
    const at = this.#find(sensor, key);
    if (this.#slots[at] !== 0) return;
    this.#put(at, sensor, key);
    this.size += 1;
    if (this.size * 5 > (this.#slots.length / parts) * 4) this.#grow();
  }

  /** Where the key is, or where it belongs. */
  #find(sensor: number, { a, b, c }: MessageKey): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = ((a ^ Math.imul(sensor, 0x9e3779b1)) * parts) & mask;
    while (slots[at] !== 0) {
      if (slots[at] === sensor && slots[at + 1] === a && slots[at + 2] === b) {
        if (slots[at + 3] === c) break;
      }
      at = (at + parts) & mask;
    }
    return at;
  }

  #put(at: number, sensor: number, { a, b, c }: MessageKey): void {
    const slots = this.#slots;
    slots[at] = sensor;
    slots[at + 1] = a;
    slots[at + 2] = b;
    slots[at + 3] = c;
  }

  /** Part by part: with an object for each key, growing makes a hundred thousand of them at once, and the gateway stands still. */
  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(before.length * 2);
    const key = { a: 0, b: 0, c: 0 };
    for (let at = 0; at < before.length; at += parts) {
      const sensor = before[at] ?? 0;
      if (sensor === 0) continue;
      key.a = before[at + 1] ?? 0;
      key.b = before[at + 2] ?? 0;
      key.c = before[at + 3] ?? 0;
      this.#put(this.#find(sensor, key), sensor, key);
    }
  }
}
