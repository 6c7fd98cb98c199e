/** What a batch says about sensors: that they exist, and their youngest interval. */
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import type { CountColumns, ZoneColumns } from './batch-columns.ts';
import { latestRows } from './batch-columns.ts';

/** The readings of a batch that are kept, and the words their columns name. */
export interface KeptReadings {
  readonly sensors: readonly string[];
  readonly regions: readonly string[];
  readonly counts: CountColumns;
  readonly zones: ZoneColumns;
}

/** Registers sensors HQ has not heard of: a store pairs its sensors without asking HQ. */
export async function registerSensors(
  { query }: Transaction,
  gateway: GatewayIdentity,
  { sensors, counts, zones }: KeptReadings,
): Promise<void> {
  const kinds = new Map<number, string>();
  for (const place of new Set(zones.sensor)) kinds.set(place, 'zone');
  for (const place of new Set(counts.sensor)) kinds.set(place, 'line');
  await query(
    `insert into public.sensor_metadata
       (organization_id, store_id, sensor_id, sensor_type, gateway_id)
     select $1, $2, sensor_id, kind, $3 from unnest($4::text[], $5::text[]) as s (sensor_id, kind)
     order by sensor_id
     on conflict (organization_id, store_id, sensor_id) do nothing`,
    [
      gateway.organization_id,
      gateway.store_id,
      gateway.gateway_id,
      [...kinds.keys()].map((place) => sensors[place]),
      [...kinds.values()],
    ],
  );
}

/** Moves the latest state forward, never back: late readings change hours, not the present. */
export async function updateLatest(
  { query }: Transaction,
  gateway: GatewayIdentity,
  { sensors, counts, zones }: KeptReadings,
): Promise<void> {
  const lines = latestRows(counts);
  const rows = [...lines].map(([place, row]) => ({
    sensor_id: sensors[place],
    observed_at: counts.observed_at[row],
    in: counts.in[row] ?? null,
    out: counts.out[row] ?? null,
  }));
  for (const [place, row] of latestRows(zones)) {
    if (lines.has(place)) continue;
    const observed_at = zones.observed_at[row];
    rows.push({ sensor_id: sensors[place], observed_at, in: null, out: null });
  }
  await query(
    `insert into app.sensor_latest as l
       (organization_id, store_id, sensor_id, "timestamp", in_count, out_count)
     select $1, $2, sensor_id, to_timestamp(observed_ms / 1000), in_count, out_count
     from unnest($3::text[], $4::float8[], $5::int[], $6::int[])
       as s (sensor_id, observed_ms, in_count, out_count)
     -- A reading of a clock that runs months ahead must not stand as the latest until then.
     where to_timestamp(observed_ms / 1000) < now() + interval '1 day'
     order by sensor_id
     on conflict (organization_id, store_id, sensor_id) do update set
       "timestamp" = excluded."timestamp", in_count = excluded.in_count,
       out_count = excluded.out_count
     where excluded."timestamp" > l."timestamp"`,
    [
      gateway.organization_id,
      gateway.store_id,
      rows.map((row) => row.sensor_id),
      rows.map((row) => row.observed_at),
      rows.map((row) => row.in),
      rows.map((row) => row.out),
    ],
  );
}
