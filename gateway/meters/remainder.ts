/**
 * What is left of a running total's first interval after a start when HQ has part of it: the disk was put
 * back from an older image, and another life of the gateway had counted on. Pure.
 */
import { type CountReading, readingFlags } from '../../shared/wire/reading.ts';
import { share } from './quarter-hours.ts';

/** What HQ has of an interval. */
export interface Counted {
  readonly sensor_id: string;
  /** Start of the interval, ms since the epoch. */
  readonly since: number;
  /** How many readings. */
  readonly readings: number;
  readonly in: number;
  readonly out: number;
  /** End of the last reading that HQ has of it, ms since the epoch. */
  readonly until: number;
  /** The counter was reset or ran over in what HQ has, or part of that is of before the interval. */
  readonly is_unclear: boolean;
}

const unclear = readingFlags.reset | readingFlags.wrapped;

/**
 * @param readings the interval, cut at quarter hours, in order.
 * @returns the same people without HQ's, where HQ's end; null where a total that began anew leaves
 * open how many they are.
 */
export function remainder(
  readings: readonly CountReading[],
  counted: Counted,
): CountReading[] | null {
  const people = (of: 'in' | 'out') =>
    readings.reduce((sum, reading) => sum + reading[of], 0) - counted[of];
  const left = { in: people('in'), out: people('out') };
  const isUnclear = counted.is_unclear || readings.some(({ flags }) => (flags & unclear) !== 0);
  if (isUnclear || left.in < 0 || left.out < 0) return null;
  const after = readings.map((reading) => from(reading, counted.until));
  const rest = after.filter((reading) => reading.interval_s > 0);
  if (rest.length === 0) return left.in + left.out === 0 ? [] : null;
  const spans = rest.map(({ observed_at, interval_s }) => {
    return { from: observed_at, to: observed_at + interval_s * 1000 };
  });
  const [shared_in, shared_out] = [share(left.in, spans), share(left.out, spans)];
  return rest.map((reading, i) => ({
    ...reading,
    in: shared_in[i] ?? 0,
    out: shared_out[i] ?? 0,
  }));
}

/** The part of a reading that lies after an instant; of no length where there is none. */
function from(reading: CountReading, instant: number): CountReading {
  const end = reading.observed_at + reading.interval_s * 1000;
  if (reading.observed_at >= instant) return reading;
  return { ...reading, observed_at: instant, interval_s: Math.max(0, end - instant) / 1000 };
}
