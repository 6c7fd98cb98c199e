/** Hours of zones from raw: how full a zone was and how long people stayed. */
import type { Transaction } from '../db/pool.ts';
import type { DirtyHour } from './recompute-hours.ts';
import { deleteGone, hours_of_marks } from './recompute-hours.ts';

/** Somebody who is gone within two minutes has bounced. */
const short_stay_s = 120;

export async function recomputeZones(
  { query }: Transaction,
  organization_id: string,
  marks: readonly DirtyHour[],
): Promise<void> {
  await query(
    `with ${hours_of_marks}, fresh as materialized (
       select h.store_id, h.start_time, h.end_time, h.local_start, r.*
       from hour h cross join lateral (
         select p.sensor_id, p.region_id, round(avg(p.occupancy), 2) as mean_occupancy,
           max(p.occupancy) as peak_occupancy, round(avg(p.dwell_time::numeric), 2) as dwell_time,
           count(*)::integer as readings, count(p.dwell_time)::integer as stays,
           count(*) filter (where p.dwell_time < ${short_stay_s})::integer as short_stays,
           (least(sum((p.interval_s * 1000)::integer), h.length_s * 1000) / 1000.0)::real as covered_s
         from public.regional_counting_raw p
         where p.organization_id = $1 and p.store_id = h.store_id
           and p."timestamp" >= h.start_time and p."timestamp" < h.end_time
         group by p.sensor_id, p.region_id
       ) r
     ), gone as (
       ${deleteGone('zone_hourly', 'o.start_time, o.sensor_id, o.region_id', 'fresh f')}
     )
     insert into public.zone_hourly as o (organization_id, store_id, start_time, end_time,
       sensor_id, region_id, local_date, local_hour, mean_occupancy, peak_occupancy, dwell_time,
       stays, short_stays, readings, covered_s)
     select $1, store_id, start_time, end_time, sensor_id, region_id, local_start::date,
       extract(hour from local_start), mean_occupancy, peak_occupancy, dwell_time, stays,
       short_stays, readings, covered_s
     from fresh order by store_id, start_time, sensor_id, region_id
     on conflict (organization_id, store_id, start_time, sensor_id, region_id) do update set
       mean_occupancy = excluded.mean_occupancy, peak_occupancy = excluded.peak_occupancy,
       dwell_time = excluded.dwell_time, stays = excluded.stays,
       short_stays = excluded.short_stays, readings = excluded.readings,
       covered_s = excluded.covered_s, revised_at = now()
     where (o.mean_occupancy, o.peak_occupancy, o.dwell_time, o.stays, o.short_stays,
         o.readings, o.covered_s)
       is distinct from (excluded.mean_occupancy, excluded.peak_occupancy, excluded.dwell_time,
         excluded.stays, excluded.short_stays, excluded.readings, excluded.covered_s)`,
    [organization_id, marks.map(({ store_id }) => store_id), marks.map(({ bucket }) => bucket)],
  );
}
