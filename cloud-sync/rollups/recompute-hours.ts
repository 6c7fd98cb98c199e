/**
 * Hours from raw, in one pass over the readings: per sensor, and per store with what its entrances
 * say, how complete that is, and the quarter hours from which days take trading hours and occupancy.
 */
import type { Transaction } from '../db/pool.ts';

export interface DirtyHour {
  store_id: string;
  /** `date_trunc('hour', instant, zone)`: a mark, behind which one or two hours stand. */
  bucket: Date;
}

/**
 * The marks as hours, with their labels. Everything a range of raw rows is compared with is computed
 * here beforehand: adding an interval is not leakproof, so behind row security PostgreSQL 15 would
 * not use it on the index (8.7 s for 720 hours instead of 0.5 s).
 */
export const hours_of_marks = `hour as materialized (
  select d.store_id, h.start_time, h.end_time, local_start, s.timezone,
    extract(epoch from h.end_time - h.start_time)::integer as length_s,
    h.start_time + (900 - past_s) * interval '1 second' as quarter_1,
    h.start_time + (1800 - past_s) * interval '1 second' as quarter_2,
    h.start_time + (2700 - past_s) * interval '1 second' as quarter_3,
    (local_start - make_interval(hours => s.occupancy_reset_hour))::date as business_date
  from unnest($2::uuid[], $3::timestamptz[]) as d (store_id, bucket)
  join public.stores s on s.organization_id = $1 and s.id = d.store_id
  cross join lateral app.hours_of(d.bucket, s.timezone) h
  cross join lateral (select h.start_time at time zone s.timezone as local_start) l
  cross join lateral (select extract(minute from local_start)::integer * 60 as past_s) p
)`;

const labels = `(h.local_start)::date as local_date, extract(hour from h.local_start) as local_hour,
  extract(epoch from h.local_start - (h.start_time at time zone 'UTC')) / 60 as utc_offset_min`;

/** Times are added in whole milliseconds: a sum of floats would depend on the order of the rows. */
const sensor_hours = `quarter as materialized (
  select h.store_id, h.start_time, r.*
  from hour h cross join lateral (
    select p.sensor_id, (p."timestamp" >= h.quarter_1)::integer
        + (p."timestamp" >= h.quarter_2)::integer + (p."timestamp" >= h.quarter_3)::integer as slot,
      sum(p.in_count)::integer as ins, sum(p.out_count)::integer as outs,
      sum((p.interval_s * 1000)::integer) as covered_ms, count(*)::integer as readings
    from public.people_counting_raw p
    where p.organization_id = $1 and p.store_id = h.store_id
      and p."timestamp" >= h.start_time and p."timestamp" < h.end_time
    group by 1, 2
  ) r
), fresh as materialized (
  select h.store_id, h.start_time, h.length_s, q.sensor_id, sum(q.ins)::integer as total_in,
    sum(q.outs)::integer as total_out, sum(q.readings)::integer as readings,
    (least(sum(q.covered_ms), h.length_s * 1000) / 1000)::real as covered_s,
    -- Single crossings have no length: having counted is all that they can prove.
    case when sum(q.covered_ms) = 0 then 1
      else least(sum(q.covered_ms) / (h.length_s * 1000), 1) end::real as coverage,
    array[coalesce(sum(q.ins) filter (where slot = 0), 0), coalesce(sum(q.ins) filter (where slot = 1), 0),
      coalesce(sum(q.ins) filter (where slot = 2), 0), coalesce(sum(q.ins) filter (where slot = 3), 0)]::integer[] as ins,
    array[coalesce(sum(q.outs) filter (where slot = 0), 0), coalesce(sum(q.outs) filter (where slot = 1), 0),
      coalesce(sum(q.outs) filter (where slot = 2), 0), coalesce(sum(q.outs) filter (where slot = 3), 0)]::integer[] as outs
  from quarter q join hour h on h.store_id = q.store_id and h.start_time = q.start_time
  group by h.store_id, h.start_time, h.length_s, q.sensor_id
)`;

const write_sensor_hours = `sensor_gone as (
  delete from public.hourly_analytics o using hour h
  where o.organization_id = $1 and o.store_id = h.store_id and o.start_time = h.start_time
    and not exists (select from fresh f where f.store_id = o.store_id
      and f.start_time = o.start_time and f.sensor_id = o.sensor_id)
), sensor_written as (
  insert into public.hourly_analytics as o (organization_id, store_id, sensor_id, start_time,
    end_time, local_date, local_hour, utc_offset_min, total_in, total_out, covered_s, readings,
    coverage, status)
  select $1, h.store_id, f.sensor_id, h.start_time, h.end_time, ${labels}, f.total_in, f.total_out,
    f.covered_s, f.readings, f.coverage,
    case when f.coverage >= 0.99 then 'complete' else 'partial' end
  from fresh f join hour h on h.store_id = f.store_id and h.start_time = f.start_time
  order by h.store_id, h.start_time, f.sensor_id
  on conflict (organization_id, store_id, start_time, sensor_id) do update set
    total_in = excluded.total_in, total_out = excluded.total_out, end_time = excluded.end_time,
    local_date = excluded.local_date, local_hour = excluded.local_hour,
    utc_offset_min = excluded.utc_offset_min, covered_s = excluded.covered_s,
    readings = excluded.readings, coverage = excluded.coverage, status = excluded.status,
    revised_at = now()
  where (o.end_time, o.local_date, o.local_hour, o.utc_offset_min, o.total_in, o.total_out,
      o.covered_s, o.readings, o.coverage, o.status)
    is distinct from (excluded.end_time, excluded.local_date, excluded.local_hour,
      excluded.utc_offset_min, excluded.total_in, excluded.total_out, excluded.covered_s,
      excluded.readings, excluded.coverage, excluded.status)
)`;

/** A sensor belongs to an hour when it was expected to count in it, or did. */
const store_hours = `member as (
  select f.store_id, f.start_time, f.sensor_id from fresh f
  union
  select h.store_id, h.start_time, m.sensor_id
  from hour h join public.sensor_metadata m on m.organization_id = $1 and m.store_id = h.store_id
  where m.sensor_type = 'line' and coalesce(m.counting_from, m.created_at) < h.end_time
    and coalesce(m.counting_until, 'infinity') >= h.end_time
), trading as materialized (
  select h.store_id, h.start_time, h.local_start, t.slots, t.trading_s
  from hour h cross join lateral app.trading($1, h.store_id, h.local_start, h.length_s) t
), part as (
  select member.store_id, member.start_time, coalesce(m.role, 'entrance') as role,
    f.sensor_id is not null as heard, coalesce(f.coverage, 0) as coverage,
    coalesce(f.total_in, 0) as total_in, coalesce(f.total_out, 0) as total_out,
    coalesce(f.ins, '{0,0,0,0}') as ins, coalesce(f.outs, '{0,0,0,0}') as outs,
    coalesce(f.ins[1] * (t.slots & 1) + f.ins[2] * (t.slots >> 1 & 1)
      + f.ins[3] * (t.slots >> 2 & 1) + f.ins[4] * (t.slots >> 3 & 1), 0) as trading_in,
    coalesce(f.outs[1] * (t.slots & 1) + f.outs[2] * (t.slots >> 1 & 1)
      + f.outs[3] * (t.slots >> 2 & 1) + f.outs[4] * (t.slots >> 3 & 1), 0) as trading_out
  from member
  join trading t on t.store_id = member.store_id and t.start_time = member.start_time
  left join fresh f on f.store_id = member.store_id and f.start_time = member.start_time
    and f.sensor_id = member.sensor_id
  left join public.sensor_metadata m on m.organization_id = $1 and m.store_id = member.store_id
    and m.sensor_id = member.sensor_id
), summed as (
  select store_id, start_time,
    coalesce(sum(total_in) filter (where role = 'entrance'), 0) as total_in,
    coalesce(sum(total_out) filter (where role = 'entrance'), 0) as total_out,
    coalesce(sum(trading_in) filter (where role = 'entrance'), 0) as footfall,
    array[coalesce(sum(ins[1]) filter (where role = 'entrance'), 0), coalesce(sum(ins[2]) filter (where role = 'entrance'), 0),
      coalesce(sum(ins[3]) filter (where role = 'entrance'), 0), coalesce(sum(ins[4]) filter (where role = 'entrance'), 0)]::integer[] as ins,
    array[coalesce(sum(outs[1]) filter (where role = 'entrance'), 0), coalesce(sum(outs[2]) filter (where role = 'entrance'), 0),
      coalesce(sum(outs[3]) filter (where role = 'entrance'), 0), coalesce(sum(outs[4]) filter (where role = 'entrance'), 0)]::integer[] as outs,
    sum(trading_in + trading_out) filter (where role in ('outside', 'outside_passing')) as passing,
    bool_or(role = 'outside_passing') as passing_only,
    count(*) filter (where role = 'entrance') as expected,
    count(*) filter (where role = 'entrance' and heard) as heard,
    -- In thousandths, so that the mean does not depend on the order of the sensors.
    coalesce(sum(round(coverage::numeric, 4)) filter (where role = 'entrance'), 0)
      / nullif(count(*) filter (where role = 'entrance'), 0) as coverage
  from part group by store_id, start_time
), store_fresh as materialized (
  select h.store_id, h.start_time, h.end_time, ${labels}, h.business_date, s.total_in, s.total_out,
    s.footfall, s.total_in - s.footfall as out_of_hours_in, s.ins, s.outs,
    s.passing + case when s.passing_only then s.footfall else 0 end as mall_traffic,
    t.trading_s, s.expected, s.heard,
    case when t.trading_s > 0 then s.coverage end::real as coverage,
    case when t.trading_s = 0 then 'closed' when coalesce(s.coverage, 0) = 0 then 'missing'
      when s.coverage >= 0.99 then 'complete' else 'partial' end as status
  from summed s
  join hour h on h.store_id = s.store_id and h.start_time = s.start_time
  join trading t on t.store_id = s.store_id and t.start_time = s.start_time
)`;

const write_store_hours = `store_gone as (
  delete from public.store_hourly o using hour h
  where o.organization_id = $1 and o.store_id = h.store_id and o.start_time = h.start_time
    and not exists (select from store_fresh f where f.store_id = o.store_id
      and f.start_time = o.start_time)
)
insert into public.store_hourly as o (organization_id, store_id, start_time, end_time, local_date,
  local_hour, utc_offset_min, business_date, total_in, total_out, footfall, out_of_hours_in,
  in_quarters, out_quarters, mall_traffic, capture_rate, trading_s, sensors_expected,
  sensors_heard, coverage, status)
select $1, f.store_id, f.start_time, f.end_time, f.local_date, f.local_hour, f.utc_offset_min,
  f.business_date, f.total_in, f.total_out, f.footfall, f.out_of_hours_in, f.ins, f.outs,
  f.mall_traffic, round(100.0 * f.footfall / nullif(f.mall_traffic, 0), 2), f.trading_s, f.expected,
  f.heard, f.coverage, f.status
from store_fresh f order by f.store_id, f.start_time
on conflict (organization_id, store_id, start_time) do update set
  end_time = excluded.end_time, local_date = excluded.local_date, local_hour = excluded.local_hour,
  utc_offset_min = excluded.utc_offset_min, business_date = excluded.business_date,
  total_in = excluded.total_in, total_out = excluded.total_out, footfall = excluded.footfall,
  out_of_hours_in = excluded.out_of_hours_in, in_quarters = excluded.in_quarters,
  out_quarters = excluded.out_quarters, mall_traffic = excluded.mall_traffic,
  capture_rate = excluded.capture_rate, trading_s = excluded.trading_s,
  sensors_expected = excluded.sensors_expected, sensors_heard = excluded.sensors_heard,
  coverage = excluded.coverage, status = excluded.status, revised_at = now()
where (o.end_time, o.local_date, o.local_hour, o.utc_offset_min, o.business_date, o.total_in,
    o.total_out, o.footfall, o.out_of_hours_in, o.in_quarters, o.out_quarters, o.mall_traffic,
    o.trading_s, o.sensors_expected, o.sensors_heard, o.coverage, o.status)
  is distinct from (excluded.end_time, excluded.local_date, excluded.local_hour,
    excluded.utc_offset_min, excluded.business_date, excluded.total_in, excluded.total_out,
    excluded.footfall, excluded.out_of_hours_in, excluded.in_quarters, excluded.out_quarters,
    excluded.mall_traffic, excluded.trading_s, excluded.sensors_expected, excluded.sensors_heard,
    excluded.coverage, excluded.status)`;

export async function recomputeHours(
  { query }: Transaction,
  organization_id: string,
  marks: readonly DirtyHour[],
): Promise<void> {
  const parts = [hours_of_marks, sensor_hours, write_sensor_hours, store_hours, write_store_hours];
  await query(`with ${parts.join(', ')}`, [
    organization_id,
    marks.map(({ store_id }) => store_id),
    marks.map(({ bucket }) => bucket),
  ]);
}
