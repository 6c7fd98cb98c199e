/** What was seen of each sensor since the daemon started: for status, heartbeat and doctor. */
import type { MeterNote } from './meters/meter.ts';
import type { DeviceHealth } from './profiles/measure.ts';

export interface Sighting {
  /** When a frame of it was last understood, ms since the epoch; null: not since start. */
  readonly last_seen_at: number | null;
  /** Copies that a broker had kept of its last message: they prove nothing about the device. */
  readonly retained: number;
  /** Since when it is gone, as it or its broker said, ms since the epoch; null: not that we know. */
  readonly offline_since: number | null;
  /** What its meter noticed, how often. */
  readonly notes: Readonly<Partial<Record<MeterNote, number>>>;
  /** Charge of its weakest battery, percent; null: it has not said. */
  readonly battery_pct: number | null;
  /** Faults that it has spoken of, by name: whether it has them now. */
  readonly faults: Readonly<Record<string, boolean>>;
}

/** Of a sensor that nobody has looked at. */
export const unseen: Sighting = {
  last_seen_at: null,
  retained: 0,
  offline_since: null,
  notes: {},
  battery_pct: null,
  faults: {},
};

export class Sightings {
  readonly #sensors = new Map<string, { -readonly [key in keyof Sighting]: Sighting[key] }>();

  of(sensor_id: string): Sighting {
    return this.#sensors.get(sensor_id) ?? unseen;
  }

  seen(sensor_id: string, last_seen_at: number): void {
    const known = this.#sensors.get(sensor_id);
    if (known === undefined) this.#sensors.set(sensor_id, { ...unseen, last_seen_at });
    else {
      // In place: every message comes by here.
      known.last_seen_at = last_seen_at;
      known.offline_since = null;
    }
  }

  /** What the device says of itself stands until it says otherwise. */
  told(sensor_id: string, { battery_pct, faults }: DeviceHealth): void {
    const before = this.of(sensor_id);
    this.#sensors.set(sensor_id, {
      ...before,
      battery_pct: battery_pct ?? before.battery_pct,
      faults: { ...before.faults, ...faults },
    });
  }

  /** The device, or its last will, says whether it is there; what it has said since is newer. */
  present(sensor_id: string, is_here: boolean, at: number): void {
    const before = this.of(sensor_id);
    const offline_since = is_here ? null : (before.offline_since ?? at);
    this.#sensors.set(sensor_id, { ...before, offline_since });
  }

  retained(sensor_id: string): void {
    const before = this.of(sensor_id);
    this.#sensors.set(sensor_id, { ...before, retained: before.retained + 1 });
  }

  noted(sensor_id: string, note: MeterNote): void {
    const { notes, ...before } = this.of(sensor_id);
    const counted = { ...notes, [note]: (notes[note] ?? 0) + 1 };
    this.#sensors.set(sensor_id, { ...before, notes: counted });
  }
}
