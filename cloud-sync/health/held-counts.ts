/**
 * What HQ has of running totals whose first interval after a start waits in the gateway: a life of it
 * whose disk is gone may have counted part of what the total grew by.
 */
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import { interval_s_max, readingFlags } from '../../shared/wire/reading.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';

/**
 * Readings of the store that one answer reads at most: an image may be years old, its store have many
 * sensors, and the heartbeat has to be answered.
 */
const held_rows_max = 1_000_000;

const unsubtractable = readingFlags.reset | readingFlags.wrapped;

/**
 * Sums of the readings of each interval, of those that came before the asking process was heard. Those
 * of which HQ has none are left out; where the store has `rows_max` or more to read, all say so many and
 * `is_unclear`, for what is not known cannot be subtracted.
 *
 * A sensor whose latest reading is older costs a look at that alone, however far back `since` lies. The
 * others are read once, in the order of the raw tables' key: one range of it in each month's partition.
 */
export async function countedIn(
  { query }: Transaction,
  { organization_id, store_id }: GatewayIdentity,
  { held = [], heard_at }: Pick<Heartbeat, 'held' | 'heard_at'>,
  rows_max = held_rows_max,
): Promise<NonNullable<HeartbeatAnswer['counted']>> {
  if (held.length === 0) return [];
  // A table that has just been filled looks small: intervals were compared with readings one by one.
  await query('set local enable_nestloop = off');
  return query(
    `with held as materialized (
       select distinct sensor_id, since_ms, to_timestamp(since_ms / 1000) as since,
         to_timestamp(since_ms / 1000 - $9) as earliest, to_timestamp(until_ms / 1000) as until
       from unnest($3::text[], $4::float8[], $5::float8[]) as h (sensor_id, since_ms, until_ms)
       join app.sensor_latest l using (sensor_id)
       where l.organization_id = $1 and l.store_id = $2
         and l."timestamp" > to_timestamp(since_ms / 1000 - $9)
     ), found as materialized (
       select sensor_id, "timestamp", in_count, out_count, interval_s, flags
       from public.people_counting_raw
       where organization_id = $1 and store_id = $2
         and "timestamp" > (select min(earliest) from held)
         and "timestamp" < (select max(until) from held)
         and created_at <= coalesce(to_timestamp($8::float8 / 1000), 'infinity')
       order by "timestamp" limit $6
     ), cut as materialized (select count(*) = $6 as is_cut from found)
     select h.sensor_id, h.since_ms::bigint as since,
       -- No log of a gateway holds so many: they are never all its own.
       case when is_cut then $6 else count(f.sensor_id) end as readings,
       coalesce(sum(f.in_count), 0)::bigint as in,
       coalesce(sum(f.out_count), 0)::bigint as out,
       round(extract(epoch from coalesce(max(f."timestamp" + f.interval_s * interval '1 second'),
         h.until)) * 1000)::bigint as until,
       is_cut or bool_or(f.flags & $7 <> 0 or f."timestamp" < h.since) as is_unclear
     from held h cross join cut
     left join found f
       on f.sensor_id = h.sensor_id and f."timestamp" < h.until
         and f."timestamp" + f.interval_s * interval '1 second' > h.since + interval '2 ms'
     group by h.sensor_id, h.since_ms, h.until, is_cut
     having is_cut or count(f.sensor_id) > 0 order by h.sensor_id, h.since_ms`,
    [
      organization_id,
      store_id,
      held.map(({ sensor_id }) => sensor_id),
      held.map(({ since }) => since),
      held.map(({ until }) => until),
      rows_max,
      unsubtractable,
      heard_at ?? null,
      interval_s_max,
    ],
  );
}
