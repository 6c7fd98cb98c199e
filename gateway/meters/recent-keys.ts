/**
 * Which messages were counted already. Retries, redelivery after a reconnect and devices that send
 * twice are normal; each would add people that never walked.
 *
 * The keys live in the log beside the readings they produced (one write, one transaction) and are
 * read back at start; this is their bounded memory.
 */

/** A gateway that was down for a day must still know what its sensors resend from their queues. */
const recent_keys_max = 100_000;

export class RecentKeys {
  /** Insertion order is age. */
  readonly #keys = new Set<string>();

  has(sensor_id: string, key: string): boolean {
    return this.#keys.has(`${sensor_id}\n${key}`);
  }

  add(sensor_id: string, key: string): void {
    this.#keys.add(`${sensor_id}\n${key}`);
    if (this.#keys.size <= recent_keys_max) return;
    const [oldest] = this.#keys;
    if (oldest !== undefined) this.#keys.delete(oldest);
  }
}
