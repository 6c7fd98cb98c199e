/**
 * Readings into the raw tables, as what they mostly are: new. `INSERT … SELECT unnest` works under
 * row security and behind any pooler, and without ON CONFLICT it takes less of the server than COPY,
 * which row security does not allow (`npm run bench -- drain`).
 */
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import type { CountColumns, ZoneColumns } from './batch-columns.ts';
import { float4Array, int4Array, int8Array, timestampArray, wordArray } from './binary-arrays.ts';
import type { KeptReadings } from './sensors.ts';

/** @throws DatabaseError 23505 where one of them is known; the transaction is then lost. */
export async function insertNew(
  { query }: Transaction,
  gateway: GatewayIdentity,
  { sensors, regions, counts, zones }: KeptReadings,
): Promise<void> {
  const tenant = tenantOf(gateway);
  const statements: Promise<unknown>[] = [];
  if (counts.sequence.length > 0) {
    const arrays = countArrays(counts, sensors);
    statements.push(query(`${insertCounts} from ${sentCounts}`, [...tenant, ...arrays]));
  }
  if (zones.sequence.length > 0) {
    const arrays = zoneArrays(zones, sensors, regions);
    statements.push(query(`${insertZones} from ${sentZones}`, [...tenant, ...arrays]));
  }
  await Promise.all(statements);
}

/**
 * Marks hours for recomputing. Keys in one order everywhere, so that two gateways of a store cannot
 * wait for each other.
 *
 * @param minutes in which readings start, ms since the epoch.
 * @param timezone of the store: it decides where an hour starts.
 */
export async function markHours(
  { query }: Transaction,
  { organization_id, store_id }: GatewayIdentity,
  minutes: readonly number[],
  timezone: string,
): Promise<void> {
  await query(
    `insert into app.rollup_dirty as d (organization_id, store_id, bucket)
     select distinct $1::uuid, $2::uuid, date_trunc('hour', minute, $4) as bucket
     from unnest($3::timestamptz[]) minute order by bucket
     on conflict (organization_id, store_id, bucket) do update set n = d.n + 1`,
    [organization_id, store_id, timestampArray(minutes), timezone],
  );
}

/** The first three parameters of every statement here. */
export function tenantOf(gateway: GatewayIdentity): string[] {
  return [gateway.organization_id, gateway.store_id, gateway.gateway_id];
}

/** Parameters 4 to 11, as {@link sentCounts} takes them. */
export function countArrays(counts: CountColumns, sensors: readonly string[]): Buffer[] {
  return [
    int8Array(counts.sequence),
    wordArray(counts.sensor, sensors),
    timestampArray(counts.observed_at),
    float4Array(counts.interval_s),
    int4Array(counts.in),
    int4Array(counts.out),
    timestampArray(counts.received_at),
    int4Array(counts.flags),
  ];
}

/** Parameters 4 to 13, as {@link sentZones} takes them. */
export function zoneArrays(
  zones: ZoneColumns,
  sensors: readonly string[],
  regions: readonly string[],
): Buffer[] {
  return [
    int8Array(zones.sequence),
    wordArray(zones.sensor, sensors),
    wordArray(zones.region, regions),
    timestampArray(zones.observed_at),
    float4Array(zones.interval_s),
    int4Array(zones.occupancy),
    float4Array(zones.dwell_s),
    timestampArray(zones.received_at),
    int4Array(zones.flags),
    float4Array(zones.dwell_max_s ?? []),
  ];
}

/**
 * Side by side in one SELECT, not in FROM: there each array is first written to a store of its own,
 * 0.6 µs a reading (measured).
 */
export const sentCounts = `(select unnest($4::bigint[]) as sequence, unnest($5::text[]) as sensor_id,
  unnest($6::timestamptz[]) as observed_at, unnest($7::real[]) as interval_s,
  unnest($8::int[]) as in_count, unnest($9::int[]) as out_count,
  unnest($10::timestamptz[]) as received_at, unnest($11::int[]) as flags) s`;

export const sentZones = `(select unnest($4::bigint[]) as sequence, unnest($5::text[]) as sensor_id,
  unnest($6::text[]) as region_id, unnest($7::timestamptz[]) as observed_at,
  unnest($8::real[]) as interval_s, unnest($9::int[]) as occupancy, unnest($10::real[]) as dwell_s,
  unnest($11::timestamptz[]) as received_at, unnest($12::int[]) as flags,
  unnest($13::real[]) as dwell_max_s) s`;

export const insertCounts = `insert into public.people_counting_raw (organization_id, store_id,
    gateway_id, "timestamp", sensor_id, in_count, out_count, interval_s, flags, gateway_sequence,
    received_at)
  select $1, $2, $3, observed_at, sensor_id, in_count, out_count, interval_s,
    flags, sequence, received_at`;

export const insertZones = `insert into public.regional_counting_raw (organization_id, store_id,
    gateway_id, "timestamp", sensor_id, region_id, occupancy, dwell_time, max_dwell_time,
    interval_s, flags, gateway_sequence, received_at)
  select $1, $2, $3, observed_at, sensor_id, region_id, occupancy, dwell_s, dwell_max_s,
    interval_s, flags, sequence, received_at`;
