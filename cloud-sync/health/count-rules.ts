/** What counts themselves give away: a stuck counter, more people than can pass, a full store; pure. */
import type { Finding } from './alert-types.ts';
import type { Judgement, Line } from './verdicts.ts';
import { Verdicts } from './verdicts.ts';

export interface SensorCounts {
  /** `sensor_metadata.id`. */
  readonly id: string;
  readonly sensor_id: string;
  readonly store_id: string;
  readonly gateway_id: string;
  /** How many of its last readings in a row say the same. */
  readonly same_in_a_row: number;
  /** What they say. */
  readonly in_count: number;
  readonly out_count: number;
  /** Most people a second in one reading of the last hour; null without a reading. */
  readonly people_per_s_max: number | null;
}

export interface StoreInside {
  readonly store_id: string;
  readonly name: string;
  readonly gateway_ids: readonly string[];
  readonly capacity: number;
  /** Entries less exits since nobody was inside; may be negative. */
  readonly inside: number;
}

/**
 * Readings in a row that all say the same, and not nobody. However many people come, chance gives
 * the reading before again less than 37 times in a hundred (one person in, nobody out): twenty in a
 * row once in hundreds of years of minutes.
 */
export const stuck_after = 20;
/** A wide gate at a rush lets three people through a second. */
const people_per_s = { raise: 4, clear: 4 };
/** Shares of the capacity; the lower ones keep a full store from calling with each person. */
const nearly_full = { raise: 0.8, clear: 0.75 };
const full = { raise: 1, clear: 0.95 };

export function judgeCounts(
  seen: { sensors: readonly SensorCounts[]; stores: readonly StoreInside[] },
  lines: ReadonlyMap<string, Line>,
  open: ReadonlySet<string>,
): Judgement {
  const verdicts = new Verdicts(open);
  for (const sensor of seen.sensors) {
    const line = lines.get(sensor.gateway_id) ?? 'unknown';
    verdicts.say(line, sensor.same_in_a_row >= stuck_after, stuck(sensor));
    verdicts.over(line, sensor.people_per_s_max, people_per_s, impossible(sensor));
  }
  for (const store of seen.stores) {
    const share = store.inside / store.capacity;
    const line = worstLine(store.gateway_ids, lines);
    verdicts.over(line, share, full, crowded(store, 'occupancy_full'));
    verdicts.over(line, share, nearly_full, crowded(store, 'occupancy_high'));
  }
  return verdicts;
}

/** Of a store with several gateways, nothing is known while one of them is away. */
export function worstLine(ids: readonly string[], lines: ReadonlyMap<string, Line>): Line {
  const all = ids.map((id) => lines.get(id) ?? 'unknown');
  if (all.length === 0 || all.includes('unknown')) return 'unknown';
  return all.includes('late') ? 'late' : 'online';
}

function stuck(sensor: SensorCounts): Finding {
  const { id, store_id, sensor_id, gateway_id, in_count, out_count, same_in_a_row } = sensor;
  return {
    alert_type: 'sensor_stuck',
    subject: id,
    store_id,
    title: `Sensor ${sensor_id} repeats itself`,
    description:
      `Its last ${same_in_a_row} readings all say ${in_count} in and ${out_count} out. ` +
      'Restart the device; a register that is read may not be its counter.',
    metadata: { sensor_id, gateway_id },
  };
}

function impossible(sensor: SensorCounts): Finding {
  const { id, store_id, sensor_id, gateway_id, people_per_s_max } = sensor;
  return {
    alert_type: 'rate_impossible',
    subject: id,
    store_id,
    title: `Sensor ${sensor_id} counts more people than can pass`,
    description:
      `${Math.round(people_per_s_max ?? 0)} people a second in one reading of the last hour. ` +
      'Check its profile and its counter; the counts stand as they came.',
    metadata: { sensor_id, gateway_id },
  };
}

function crowded(
  { store_id, name, inside, capacity }: StoreInside,
  alert_type: 'occupancy_high' | 'occupancy_full',
): Finding {
  return {
    alert_type,
    subject: store_id,
    store_id,
    title:
      alert_type === 'occupancy_full'
        ? `${name} holds as many people as it may`
        : `${name} is nearly full`,
    description: `About ${inside} people inside; ${capacity} may be.`,
    metadata: { inside, capacity },
  };
}
