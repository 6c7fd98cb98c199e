/** What a batch says about sensors: that they exist, and their youngest interval. */
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import type { CountRow, ZoneRow } from './batch-rows.ts';
import { latestOfEach } from './batch-rows.ts';

/** Registers sensors HQ has not heard of: a store pairs its sensors without asking HQ. */
export async function registerSensors(
  { query }: Transaction,
  gateway: GatewayIdentity,
  counts: readonly CountRow[],
  zones: readonly ZoneRow[],
): Promise<void> {
  const kinds = new Map<string, string>();
  for (const { sensor_id } of zones) kinds.set(sensor_id, 'zone');
  for (const { sensor_id } of counts) kinds.set(sensor_id, 'line');
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
      [...kinds.keys()],
      [...kinds.values()],
    ],
  );
}

/** Moves the latest state forward, never back: late readings change hours, not the present. */
export async function updateLatest(
  { query }: Transaction,
  gateway: GatewayIdentity,
  counts: readonly CountRow[],
  zones: readonly ZoneRow[],
): Promise<void> {
  const lines = latestOfEach(counts);
  const known = new Set(lines.map(({ sensor_id }) => sensor_id));
  const rows = [
    ...lines.map((row) => ({ ...row, in: row.in as number | null, out: row.out as number | null })),
    ...latestOfEach(zones)
      .filter(({ sensor_id }) => !known.has(sensor_id))
      .map((row) => ({ ...row, in: null, out: null })),
  ];
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
