/** What sensors last counted, and how many people that leaves inside each store with a capacity. */

import { readingFlags } from '../../shared/wire/reading.ts';
import type { Transaction } from '../db/pool.ts';
import type { SensorCounts, StoreInside } from './count-rules.ts';
import { stuck_after } from './count-rules.ts';

export async function observeCounts(
  tx: Transaction,
  organization_id: string,
): Promise<{ sensors: SensorCounts[]; stores: StoreInside[] }> {
  return {
    sensors: await observeSensors(tx, organization_id),
    stores: await observeInside(tx, organization_id),
  };
}

/**
 * Single crossings (an interval of 0) are all alike, and so are the parts of one interval that was
 * cut: neither says that a counter is stuck. Bounds stand in a CTE of their own, so that an index
 * serves them behind row security.
 */
async function observeSensors(
  { query }: Transaction,
  organization_id: string,
): Promise<SensorCounts[]> {
  return query<SensorCounts>(
    `with sensor as materialized (
       select m.id, m.sensor_id, m.store_id, m.gateway_id, t.delivered_at,
         t.delivered_at - interval '24 hours' as floor
       from public.sensor_metadata m
       join app.gateway_state t on t.organization_id = $1 and t.gateway_id = m.gateway_id
       where m.organization_id = $1 and m.sensor_type = 'line' and m.silent_after_s is not null
     )
     select s.id, s.sensor_id, s.store_id, s.gateway_id, coalesce(l.in_count, 0) as in_count,
       coalesce(l.out_count, 0) as out_count, coalesce(l.same, 0) as same_in_a_row,
       r.people_per_s_max
     from sensor s
     left join lateral (
       select count(*)::int as same, max(p.in_count) as in_count, max(p.out_count) as out_count
       from (select p.in_count, p.out_count from public.people_counting_raw p
         where p.organization_id = $1 and p.store_id = s.store_id
           and p."timestamp" >= s.floor and p."timestamp" < s.delivered_at
           and p.sensor_id = s.sensor_id and p.interval_s > 0
           and p.flags & ${readingFlags.split} = 0
         order by p."timestamp" desc limit ${stuck_after}) p
       having count(distinct (p.in_count, p.out_count)) = 1
         and max(p.in_count + p.out_count) > 0
     ) l on true
     left join lateral (
       select max((p.in_count + p.out_count) / greatest(p.interval_s, 60))::float8
         as people_per_s_max
       from public.people_counting_raw p
       where p.organization_id = $1 and p.store_id = s.store_id
         and p."timestamp" >= s.delivered_at - interval '1 hour'
         and p."timestamp" < s.delivered_at and p.sensor_id = s.sensor_id
     ) r on true`,
    [organization_id],
  );
}

/** Counted from the last time at which nobody was inside, the store's reset hour, on. */
async function observeInside(
  { query }: Transaction,
  organization_id: string,
): Promise<StoreInside[]> {
  return query<StoreInside>(
    `with store as materialized (
       select s.id, s.name, s.capacity, array_agg(t.gateway_id) as gateway_ids,
         min(t.delivered_at) as until,
         (date_trunc('day', (min(t.delivered_at) at time zone s.timezone)
             - s.occupancy_reset_hour * interval '1 hour')
           + s.occupancy_reset_hour * interval '1 hour') at time zone s.timezone as since
       from public.stores s
       join app.gateways g on g.organization_id = $1 and g.store_id = s.id and g.revoked_at is null
       join app.gateway_state t on t.organization_id = $1 and t.gateway_id = g.id
       where s.organization_id = $1 and s.capacity is not null
       group by s.id, s.name, s.capacity, s.timezone, s.occupancy_reset_hour
     )
     select s.id as store_id, s.name, s.capacity, s.gateway_ids,
       coalesce(c.inside, 0)::bigint as inside
     from store s left join lateral (
       select sum(p.in_count - p.out_count) as inside
       from public.people_counting_raw p
       where p.organization_id = $1 and p.store_id = s.id
         and p."timestamp" >= s.since and p."timestamp" < s.until
         and exists (select from public.sensor_metadata m
           where m.organization_id = $1 and m.store_id = s.id and m.sensor_id = p.sensor_id
             and coalesce(m.role, 'entrance') = 'entrance')
     ) c on true`,
    [organization_id],
  );
}
