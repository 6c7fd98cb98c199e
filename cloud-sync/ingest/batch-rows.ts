/** The rows of a batch, one object each; pure. */
import type { Batch } from '../../shared/wire/batch.ts';

interface Row {
  readonly sequence: number;
  readonly sensor_id: string;
  /** ms since the epoch. */
  readonly observed_at: number;
  readonly interval_s: number;
  readonly received_at: number;
  readonly flags: number;
}

export interface CountRow extends Row {
  readonly in: number;
  readonly out: number;
}

export interface ZoneRow extends Row {
  readonly region_id: string;
  readonly occupancy: number | null;
  readonly dwell_s: number | null;
}

/** The contract has checked that columns are equally long and indexes name something. */
function at<T>(column: readonly T[], index: number): T {
  if (index >= column.length) throw new Error('the batch was not validated');
  return column[index] as T;
}

export function countRows({ counts, sensors }: Batch): CountRow[] {
  return counts.sequence.map((sequence, i) => ({
    sequence,
    sensor_id: at(sensors, at(counts.sensor, i)),
    observed_at: at(counts.observed_at, i),
    interval_s: at(counts.interval_s, i),
    in: at(counts.in, i),
    out: at(counts.out, i),
    received_at: at(counts.received_at, i),
    flags: at(counts.flags, i),
  }));
}

export function zoneRows({ zones, sensors, regions }: Batch): ZoneRow[] {
  return zones.sequence.map((sequence, i) => ({
    sequence,
    sensor_id: at(sensors, at(zones.sensor, i)),
    region_id: at(regions, at(zones.region, i)),
    observed_at: at(zones.observed_at, i),
    interval_s: at(zones.interval_s, i),
    occupancy: at(zones.occupancy, i),
    dwell_s: at(zones.dwell_s, i),
    received_at: at(zones.received_at, i),
    flags: at(zones.flags, i),
  }));
}

/** The month of an instant, as partitions are named: `2026-11`, in UTC. */
export function monthOf(instant_ms: number): string {
  return new Date(instant_ms).toISOString().slice(0, 7);
}

/** For every sensor the row with the youngest interval. */
export function latestOfEach<R extends Row>(rows: readonly R[]): R[] {
  const latest = new Map<string, R>();
  for (const row of rows) {
    const known = latest.get(row.sensor_id);
    if (known === undefined || known.observed_at < row.observed_at) latest.set(row.sensor_id, row);
  }
  return [...latest.values()];
}
