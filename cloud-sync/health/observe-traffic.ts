/** When each sensor last counted somebody, and what it counted in the same hours of the weeks before. */
import type { Transaction } from '../db/pool.ts';
import type { WatchedTraffic } from './alert-rules.ts';

/** A sensor quiet for longer than this is judged by this much: dead is dead. */
const look_back_h = 24;
const weeks = 8;
/** Of them, so many must be known before an hour counts as usual. */
const weeks_min = 3;

/**
 * Bounds of index ranges are computed in a CTE of their own: behind row security an expression that
 * is not leakproof would not be used on the index.
 */
export async function observeTraffic(
  { query }: Transaction,
  organization_id: string,
): Promise<WatchedTraffic[]> {
  return query<WatchedTraffic>(
    `with sensor as materialized (
       select m.id, m.store_id, m.sensor_id, s.timezone, t.delivered_at,
         t.delivered_at - interval '${look_back_h} hours' as floor
       from public.sensor_metadata m
       join public.stores s on s.organization_id = $1 and s.id = m.store_id
       join app.gateway_state t on t.organization_id = $1 and t.gateway_id = m.gateway_id
       where m.organization_id = $1 and m.sensor_type = 'line' and m.silent_after_s is not null
     ), counted as materialized (
       select sensor.*, coalesce(last.at, floor) as last_at
       from sensor left join lateral (
         select p."timestamp" + p.interval_s * interval '1 second' as at
         from public.people_counting_raw p
         where p.organization_id = $1 and p.store_id = sensor.store_id
           and p."timestamp" >= sensor.floor and p."timestamp" < sensor.delivered_at
           and p.sensor_id = sensor.sensor_id and p.in_count + p.out_count > 0
         order by p."timestamp" desc limit 1
       ) last on true
     ), hour as materialized (
       select c.id, c.store_id, c.sensor_id, c.timezone, h, week,
         ((h at time zone c.timezone) - week * interval '7 days') at time zone c.timezone as same
       from counted c
       cross join lateral generate_series(date_trunc('hour', c.last_at, c.timezone),
         c.delivered_at, interval '1 hour') h
       cross join generate_series(1, ${weeks}) week
     ), odd as materialized (
       -- Days on which nobody knows how many people come: they are not judged, and judge none.
       select o.store_id, o.date from public.store_holidays o where o.organization_id = $1
       union
       select c.store_id, d::date
       from (select min(delivered_at)::date - ${7 * weeks + 2} as first,
           max(delivered_at)::date + 2 as last from sensor) judged
       join public.store_closures c on c.organization_id = $1
       cross join lateral generate_series(greatest(c.first_date, judged.first),
         least(c.last_date, judged.last), interval '1 day') d
     ), usual as (
       select hour.id, hour.h, case when count(a.start_time) >= ${weeks_min}
           and (hour.store_id, (hour.h at time zone hour.timezone)::date)
             not in (select odd.store_id, odd.date from odd)
         then avg(a.total_in + a.total_out)::float8 end as people
       from hour left join public.hourly_analytics a on a.organization_id = $1
         and a.store_id = hour.store_id and a.start_time = hour.same
         and a.sensor_id = hour.sensor_id and a.coverage >= 0.9
         and (hour.store_id, (hour.same at time zone hour.timezone)::date)
           not in (select odd.store_id, odd.date from odd)
       group by hour.id, hour.store_id, hour.timezone, hour.h
     )
     select c.id, (extract(epoch from c.last_at) * 1000)::float8 as last_counted_at,
       json_agg(json_build_object('start', extract(epoch from u.h) * 1000,
         'end', (extract(epoch from u.h) + 3600) * 1000, 'people', u.people)) as usual
     from counted c join usual u on u.id = c.id group by c.id, c.last_at`,
    [organization_id],
  );
}
