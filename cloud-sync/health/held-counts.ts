/**
 * What HQ has of sensors whose first running total after a start waits in the gateway: a life of it
 * whose disk is gone may have counted part of what that total grew by.
 */

import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import { readingFlags } from '../../shared/wire/reading.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';

/**
 * Readings that one answer reads at most: two years of a minute counter, a second of the server. An image
 * may be years old, and its store have many sensors.
 */
const held_rows_max = 1_000_000;

const unsubtractable = readingFlags.reset | readingFlags.wrapped;

/**
 * Sums of the readings that start at `since` or later. Those of which HQ has none are left out; where
 * there are `rows_max` or more to read, it says `is_reset`, for what is not known cannot be
 * subtracted.
 *
 * A sensor whose latest reading is older costs a look at that alone, however far back `since` lies. The others
 * are read once, in the order of the raw tables' key: one range of it in each month's partition from the
 * oldest `since` on.
 */
export async function countedSince(
  { query }: Transaction,
  { organization_id, store_id }: GatewayIdentity,
  held: NonNullable<Heartbeat['held']>,
  rows_max = held_rows_max,
): Promise<NonNullable<HeartbeatAnswer['counted']>> {
  const oldest = new Map<string, number>();
  for (const { sensor_id, since } of held) {
    oldest.set(sensor_id, Math.min(since, oldest.get(sensor_id) ?? since));
  }
  if (oldest.size === 0) return [];
  return query(
    `with held as materialized (
       select sensor_id, to_timestamp(since_ms / 1000) as since, l."timestamp" as latest
       from unnest($3::text[], $4::float8[]) as h (sensor_id, since_ms)
       join app.sensor_latest l using (sensor_id)
       where l.organization_id = $1 and l.store_id = $2
         and l."timestamp" >= to_timestamp(since_ms / 1000)
     ), found as materialized (
       select sensor_id, "timestamp", in_count, out_count, interval_s, flags
       from public.people_counting_raw
       where organization_id = $1 and store_id = $2
         and "timestamp" >= (select min(since) from held)
         and sensor_id = any (array(select sensor_id from held))
       order by "timestamp" limit $5
     ), cut as (select count(*) = $5 as is_cut from found)
     select h.sensor_id, coalesce(sum(f.in_count), 0)::bigint as in,
       coalesce(sum(f.out_count), 0)::bigint as out,
       round(extract(epoch from coalesce(max(f."timestamp" + f.interval_s * interval '1 second'),
         max(h.latest))) * 1000)::bigint as until,
       is_cut or bool_or(f.flags & $6 <> 0) as is_reset
     from held h cross join cut
     left join found f on f.sensor_id = h.sensor_id and f."timestamp" >= h.since
     group by h.sensor_id, is_cut having is_cut or count(f.sensor_id) > 0 order by h.sensor_id`,
    [organization_id, store_id, [...oldest.keys()], [...oldest.values()], rows_max, unsubtractable],
  );
}
