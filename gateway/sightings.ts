/** What was seen of each sensor since the daemon started: for status, heartbeat and doctor. */
import type { MeterNote } from './meters/meter.ts';

export interface Sighting {
  /** When a frame of it was last understood, ms since the epoch; null: not since start. */
  readonly last_seen_at: number | null;
  /** Copies that a broker had kept of its last message: they prove nothing about the device. */
  readonly retained: number;
  /** What its meter noticed, how often. */
  readonly notes: Readonly<Partial<Record<MeterNote, number>>>;
}

/** Of a sensor that nobody has looked at. */
export const unseen: Sighting = { last_seen_at: null, retained: 0, notes: {} };

export class Sightings {
  readonly #sensors = new Map<string, Sighting>();

  of(sensor_id: string): Sighting {
    return this.#sensors.get(sensor_id) ?? unseen;
  }

  seen(sensor_id: string, last_seen_at: number): void {
    this.#sensors.set(sensor_id, { ...this.of(sensor_id), last_seen_at });
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
