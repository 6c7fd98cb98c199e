/**
 * Which messages were counted already. Retries, redelivery after a reconnect and devices that send
 * twice are normal; each would add people that never walked.
 *
 * The keys live in the log beside the readings they produced (one write, one transaction) and are
 * read back at start; this is their bounded memory.
 */

/** A gateway that was down for a day must still know what its sensors resend from their queues. */
const recent_keys_min = 100_000;

type Generation = Map<string, Set<string>>;

/**
 * Two generations instead of an eviction for each key: when the younger is full, it becomes the
 * older and the older is forgotten. So at least `recent_keys_min` and at most twice as many are known.
 */
export class RecentKeys {
  #young: Generation = new Map();
  #old: Generation = new Map();
  #young_keys = 0;

  has(sensor_id: string, key: string): boolean {
    return (
      this.#young.get(sensor_id)?.has(key) === true || this.#old.get(sensor_id)?.has(key) === true
    );
  }

  add(sensor_id: string, key: string): void {
    if (this.#young_keys >= recent_keys_min) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#young_keys = 0;
    }
    const keys = this.#young.get(sensor_id);
    if (keys === undefined) this.#young.set(sensor_id, new Set([key]));
    else keys.add(key);
    this.#young_keys += 1;
  }
}
