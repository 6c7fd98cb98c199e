/**
 * Writes what `app.computed_hours` says of dirty hours: rows of sensors and of stores. A row that
 * says what it said before is not touched, so `revised_at` means that the numbers changed.
 */
import type { Transaction } from '../db/pool.ts';

export interface DirtyHour {
  store_id: string;
  /** `date_trunc('hour', instant, zone)`: a mark, behind which one or two hours stand. */
  bucket: Date;
}

/** The hours behind the marks, with where they belong. */
export const hours_of_marks = `hour as materialized (
  select d.store_id, h.start_time, h.end_time, local_start,
    extract(epoch from h.end_time - h.start_time)::integer as length_s,
    (local_start - make_interval(hours => s.occupancy_reset_hour))::date as business_date
  from unnest($2::uuid[], $3::timestamptz[]) as d (store_id, bucket)
  join public.stores s on s.organization_id = $1 and s.id = d.store_id
  cross join lateral app.hours_of(d.bucket, s.timezone) h
  cross join lateral (select h.start_time at time zone s.timezone as local_start) l
)`;

/**
 * Deletes the rows of a table that the computation no longer has. Each hour looks up its own
 * (`offset 0` keeps it so), and what is found is deleted by where it stands: joined as sets, the
 * planner compares each hour with all that a table without statistics holds (4 s instead of none for
 * 200 hours). Nobody else writes these rows meanwhile: the marks of their hours and days are held.
 *
 * @param key what names a row beside its store, of `o`.
 * @param computed what stands now, as `f`.
 */
export function deleteGone(table: string, key: string, computed: string): string {
  return `delete from public.${table} where organization_id = $1 and ctid = any (array(
    select o.ctid from hour h cross join lateral (
      select t.ctid, t.* from public.${table} t
      where t.organization_id = $1 and t.store_id = h.store_id and t.start_time = h.start_time
      offset 0
    ) o
    where (o.store_id, ${key}) not in (
      select f.store_id, ${key.replaceAll('o.', 'f.')} from ${computed})))`;
}

const write_sensor_hours = `sensor_gone as (
  ${deleteGone('hourly_analytics', 'o.start_time, o.sensor_id', 'computed f where f.sensor_id is not null')}
), sensor_written as (
  insert into public.hourly_analytics as o (organization_id, store_id, sensor_id, start_time,
    end_time, local_date, local_hour, utc_offset_min, total_in, total_out, footfall, mall_traffic,
    capture_rate, covered_s, readings, coverage, status)
  select $1, f.store_id, f.sensor_id, f.start_time, f.end_time, f.local_date, f.local_hour,
    f.utc_offset_min, f.total_in, f.total_out, f.footfall, f.mall_traffic,
    round(100.0 * f.footfall / nullif(f.mall_traffic, 0), 2), f.covered_s, f.readings, f.coverage,
    f.status
  from computed f where f.sensor_id is not null order by f.store_id, f.start_time, f.sensor_id
  on conflict (organization_id, store_id, start_time, sensor_id) do update set
    total_in = excluded.total_in, total_out = excluded.total_out, end_time = excluded.end_time,
    local_date = excluded.local_date, local_hour = excluded.local_hour,
    utc_offset_min = excluded.utc_offset_min, footfall = excluded.footfall,
    mall_traffic = excluded.mall_traffic, capture_rate = excluded.capture_rate,
    covered_s = excluded.covered_s, readings = excluded.readings, coverage = excluded.coverage,
    status = excluded.status, revised_at = now()
  where (o.end_time, o.local_date, o.local_hour, o.utc_offset_min, o.total_in, o.total_out,
      o.footfall, o.mall_traffic, o.covered_s, o.readings, o.coverage, o.status)
    is distinct from (excluded.end_time, excluded.local_date, excluded.local_hour,
      excluded.utc_offset_min, excluded.total_in, excluded.total_out, excluded.footfall,
      excluded.mall_traffic, excluded.covered_s, excluded.readings, excluded.coverage,
      excluded.status)
)`;

/**
 * Status is left out of what is compared: coverage says it, and the fold of the day may have made
 * `estimated` of it. An hour that did change is measured only, until its day is folded.
 */
const write_store_hours = `store_gone as (
  ${deleteGone('store_hourly', 'o.start_time', 'computed f where f.sensor_id is null')}
)
insert into public.store_hourly as o (organization_id, store_id, start_time, end_time, local_date,
  local_hour, utc_offset_min, business_date, total_in, total_out, footfall, staff_in,
  out_of_hours_in, in_quarters, out_quarters, mall_traffic, capture_rate, trading_s,
  sensors_expected, sensors_heard, coverage, status)
select $1, f.store_id, f.start_time, f.end_time, f.local_date, f.local_hour, f.utc_offset_min,
  f.business_date, f.total_in, f.total_out, f.footfall, f.staff_in,
  f.total_in - f.footfall - coalesce(f.staff_in, 0), f.in_quarters, f.out_quarters,
  f.mall_traffic, round(100.0 * f.footfall / nullif(f.mall_traffic, 0), 2), f.trading_s,
  f.sensors_expected, f.sensors_heard, f.coverage, f.status
from computed f where f.sensor_id is null order by f.store_id, f.start_time
on conflict (organization_id, store_id, start_time) do update set
  end_time = excluded.end_time, local_date = excluded.local_date, local_hour = excluded.local_hour,
  utc_offset_min = excluded.utc_offset_min, business_date = excluded.business_date,
  total_in = excluded.total_in, total_out = excluded.total_out, footfall = excluded.footfall,
  staff_in = excluded.staff_in, out_of_hours_in = excluded.out_of_hours_in,
  in_quarters = excluded.in_quarters, out_quarters = excluded.out_quarters,
  mall_traffic = excluded.mall_traffic, capture_rate = excluded.capture_rate,
  trading_s = excluded.trading_s, sensors_expected = excluded.sensors_expected,
  sensors_heard = excluded.sensors_heard, coverage = excluded.coverage, status = excluded.status,
  estimated_in = null, revised_at = now()
where (o.end_time, o.local_date, o.local_hour, o.utc_offset_min, o.business_date, o.total_in,
    o.total_out, o.footfall, o.staff_in, o.out_of_hours_in, o.in_quarters, o.out_quarters,
    o.mall_traffic, o.trading_s, o.sensors_expected, o.sensors_heard, o.coverage)
  is distinct from (excluded.end_time, excluded.local_date, excluded.local_hour,
    excluded.utc_offset_min, excluded.business_date, excluded.total_in, excluded.total_out,
    excluded.footfall, excluded.staff_in, excluded.out_of_hours_in, excluded.in_quarters,
    excluded.out_quarters, excluded.mall_traffic, excluded.trading_s, excluded.sensors_expected,
    excluded.sensors_heard, excluded.coverage)`;

const computed = 'computed as materialized (select * from app.computed_hours($1, $2, $3))';

export async function recomputeHours(
  { query }: Transaction,
  organization_id: string,
  marks: readonly DirtyHour[],
): Promise<void> {
  const parts = [hours_of_marks, computed, write_sensor_hours, write_store_hours];
  await query(`with ${parts.join(', ')}`, [
    organization_id,
    marks.map(({ store_id }) => store_id),
    marks.map(({ bucket }) => bucket),
  ]);
}
