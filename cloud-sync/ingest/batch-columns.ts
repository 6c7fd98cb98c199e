/** What is asked of the columns of a batch before they are stored. Pure. */
import type { Batch } from '../../shared/wire/batch.ts';

interface Shared {
  readonly sequence: readonly number[];
  readonly sensor: readonly number[];
  readonly observed_at: readonly number[];
  readonly interval_s: readonly number[];
  readonly received_at: readonly number[];
  readonly flags: readonly number[];
}
export type CountColumns = Shared & Pick<Batch['counts'], 'in' | 'out'>;
export type ZoneColumns = Shared &
  Pick<Batch['zones'], 'region' | 'occupancy' | 'dwell_s' | 'dwell_max_s'>;

/** The same columns with only the rows that are kept. */
export function keepRows<C extends object>(columns: C, keep: readonly boolean[]): C {
  const kept = Object.entries(columns as Record<string, readonly unknown[]>).map(
    ([name, values]) => [name, values.filter((_value, row) => keep[row])],
  );
  return Object.fromEntries(kept) as C;
}

const minute_ms = 60_000;

/**
 * Every minute that holds a start, ms since the epoch: far fewer than readings, and no clock change
 * lies inside a minute.
 */
export function minutesOf(observed_at: readonly number[]): number[] {
  const minutes = new Set<number>();
  let last = Number.NaN;
  for (const instant of observed_at) {
    const minute = instant - (instant % minute_ms);
    if (minute !== last) minutes.add(minute);
    last = minute;
  }
  return [...minutes];
}

/** The month of an instant, as partitions are named: `2026-11`, in UTC. */
export function monthOf(instant_ms: number): string {
  return new Date(instant_ms).toISOString().slice(0, 7);
}

/** For every sensor, by its place, the row with the youngest interval. */
export function latestRows({ sensor, observed_at }: Shared): Map<number, number> {
  const latest = new Map<number, number>();
  let row = 0;
  for (const place of sensor) {
    const known = latest.get(place);
    const isYounger = known === undefined || (observed_at[row] ?? 0) > (observed_at[known] ?? 0);
    if (isYounger) latest.set(place, row);
    row += 1;
  }
  return latest;
}
