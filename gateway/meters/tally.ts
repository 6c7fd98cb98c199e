/**
 * How many people each sensor has counted since the gateway started, for people who watch: the local
 * page, pairing, the walk test. It sees a polled counter's people at once, where a reading waits for
 * the end of its interval. Nothing depends on it: HQ's hours come from readings. Pure.
 */
import type { MeterStep } from './meter.ts';

export interface Crossings {
  readonly in: number;
  readonly out: number;
}

export interface Tallied extends Crossings {
  /** People in each zone, as last said; null where the device does not say. */
  readonly occupancy: Readonly<Record<string, number | null>>;
  /** People by quarter hour: its number since the epoch, oldest first. */
  readonly quarters: ReadonlyMap<number, Crossings>;
}

/** A day of any length that a clock change makes, and the quarter that has begun. */
const quarters_kept = 26 * 4;
const quarter_ms = 15 * 60 * 1000;

interface Sum {
  in: number;
  out: number;
  readonly occupancy: Record<string, number | null>;
  readonly quarters: Map<number, { in: number; out: number }>;
}

export class Tally {
  readonly #sums = new Map<string, Sum>();

  /**
   * Adds what a step of the meter counted: the people of its readings, and those that wait for one.
   *
   * @param pending what waited before the step.
   * @param at ms since the epoch.
   */
  add(sensor_id: string, pending: Crossings, step: MeterStep, at: number): void {
    const sum = this.#sumOf(sensor_id);
    const counted = {
      in: step.state.pending.in - pending.in,
      out: step.state.pending.out - pending.out,
    };
    for (const reading of step.readings) {
      if (reading.kind === 'zone') sum.occupancy[reading.region_id] = reading.occupancy;
      else {
        counted.in += reading.in;
        counted.out += reading.out;
      }
    }
    if (counted.in === 0 && counted.out === 0) return;
    sum.in += counted.in;
    sum.out += counted.out;
    const quarter = this.#quarterOf(sum, Math.floor(at / quarter_ms));
    quarter.in += counted.in;
    quarter.out += counted.out;
  }

  /** Sensors that were heard since start: devices by their id, lines and zones as `id/element`. */
  list(): [sensor_id: string, Tallied][] {
    return [...this.#sums];
  }

  /** A device with all its lines, or one of them. */
  total(sensor_id: string): Crossings {
    const total = { in: 0, out: 0 };
    for (const [id, sum] of this.#sums) {
      if (id !== sensor_id && !id.startsWith(`${sensor_id}/`)) continue;
      total.in += sum.in;
      total.out += sum.out;
    }
    return total;
  }

  /** People in all zones of a device; null where it has none or does not say. */
  inside(sensor_id: string): number | null {
    const said = [...this.#sums]
      .filter(([id]) => id === sensor_id || id.startsWith(`${sensor_id}/`))
      .flatMap(([, { occupancy }]) => Object.values(occupancy))
      .filter((people) => people !== null);
    return said.length === 0 ? null : said.reduce((sum, people) => sum + people, 0);
  }

  #sumOf(sensor_id: string): Sum {
    const known = this.#sums.get(sensor_id);
    if (known !== undefined) return known;
    const sum: Sum = { in: 0, out: 0, occupancy: {}, quarters: new Map() };
    this.#sums.set(sensor_id, sum);
    return sum;
  }

  #quarterOf({ quarters }: Sum, number: number): { in: number; out: number } {
    const known = quarters.get(number);
    if (known !== undefined) return known;
    const quarter = { in: 0, out: 0 };
    quarters.set(number, quarter);
    const [oldest] = quarters.keys();
    if (quarters.size > quarters_kept && oldest !== undefined) quarters.delete(oldest);
    return quarter;
  }
}

/** People of the quarter hours that began at or after `from`, ms since the epoch. */
export function crossingsSince({ quarters }: Tallied, from: number): Crossings {
  const sum = { in: 0, out: 0 };
  for (const [quarter, people] of quarters) {
    if (quarter * quarter_ms < from) continue;
    sum.in += people.in;
    sum.out += people.out;
  }
  return sum;
}
