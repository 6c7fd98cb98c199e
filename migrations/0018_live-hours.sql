-- Hours as they are now: those that rollups have written, and beside them what app.computed_hours
-- says of those that wait.

-- Up Migration

set local role app_owner;

-- Which hours wait is no secret of anybody who may see them.
grant select on app.rollup_dirty, app.rollup_dirty_days to authenticated;
create policy rollup_dirty_select_person on app.rollup_dirty for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create policy rollup_dirty_days_select_person on app.rollup_dirty_days for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
grant execute on function app.hours_of(timestamptz, text), app.occupancy(app.counted_hour[])
  to authenticated;

grant create on schema app to app_definer;
grant select on public.sensor_metadata, public.store_hours, public.store_closures,
  public.store_holidays to app_definer;
grant select (organization_id, store_id, sensor_id, in_count, out_count, interval_s)
  on public.people_counting_raw to app_definer;
create policy sensor_metadata_select_definer on public.sensor_metadata for select
  to app_definer using (true);
create policy store_hours_select_definer on public.store_hours for select
  to app_definer using (true);
create policy store_closures_select_definer on public.store_closures for select
  to app_definer using (true);
create policy store_holidays_select_definer on public.store_holidays for select
  to app_definer using (true);
grant execute on function app.computed_hours(uuid, uuid[], timestamptz[]),
  app.hours_of(timestamptz, text), app.trading(uuid, uuid, timestamp, integer) to app_definer;
reset role;

-- Not every role may read single crossings, but every one may see what they add up to; so the sums
-- are made by a definer, of the stores of the person asking and of no others.
set local role app_definer;
create function app.live_hours(organization uuid, store uuid)
  returns table (store_id uuid, start_time timestamptz, sensor_id text, end_time timestamptz,
    local_date date, local_hour smallint, utc_offset_min smallint, business_date date,
    total_in bigint, total_out bigint, footfall bigint, staff_in bigint, in_quarters bigint[],
    out_quarters bigint[], mall_traffic bigint, trading_s integer, sensors_expected integer,
    sensors_heard integer, covered_s real, readings integer, coverage real, status text)
  language sql stable security definer set search_path = ''
begin atomic
  select c.* from (
    select array_agg(d.store_id) as stores, array_agg(d.bucket) as marks
    from app.rollup_dirty d
    where d.organization_id = organization and d.store_id = store
      and d.organization_id = (select app.member_organization_id())
      and d.store_id = any ((select app.member_store_ids())::uuid[])
  ) m cross join lateral app.computed_hours(organization, m.stores, m.marks) c;
end;
revoke execute on function app.live_hours(uuid, uuid) from public;
grant execute on function app.live_hours(uuid, uuid) to authenticated, app_owner;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

-- What waits in one store: hours, and the business days whose occupancy they change.
create function app.waiting(organization uuid, store uuid, out hours timestamptz[], out days date[])
  language sql stable set search_path = ''
begin atomic
  select coalesce(array_agg(w.start_time), '{}'),
    coalesce(array_agg(w.business_date), '{}') || array(
      select d.date from app.rollup_dirty_days d
      where d.organization_id = organization and d.store_id = store)
  from (
    select h.start_time, ((h.start_time at time zone s.timezone)
      - make_interval(hours => s.occupancy_reset_hour))::date as business_date
    from app.rollup_dirty d
    join public.stores s on s.organization_id = organization and s.id = d.store_id
    cross join lateral app.hours_of(d.bucket, s.timezone) h
    where d.organization_id = organization and d.store_id = store
  ) w;
end;

-- The hours of a store whose numbers are not final yet, as the rollups will write them.
create function app.live_store_hours(organization uuid, store uuid)
  returns table (start_time timestamptz, end_time timestamptz, local_date date,
    local_hour smallint, utc_offset_min smallint, business_date date, total_in bigint,
    total_out bigint, footfall bigint, staff_in bigint, out_of_hours_in bigint,
    mall_traffic bigint, net_occupancy integer, peak_occupancy integer, trading_s integer,
    sensors_expected integer, sensors_heard integer, coverage real, status text,
    revised_at timestamptz)
  language sql stable set search_path = ''
begin atomic
  with waiting as materialized (
    select * from app.waiting(organization, store)
  ), line as materialized (
    select h.start_time, h.end_time, h.local_date, h.local_hour, h.utc_offset_min,
      h.business_date, h.total_in::bigint, h.total_out::bigint, h.footfall::bigint,
      h.staff_in::bigint, h.in_quarters, h.out_quarters, h.mall_traffic::bigint, h.trading_s,
      h.sensors_expected, h.sensors_heard, h.coverage, h.status, h.revised_at
    from waiting w cross join lateral unnest(w.days) day
    join public.store_hourly h on h.organization_id = organization and h.store_id = store
      and h.business_date = day and h.start_time <> all (w.hours)
    union
    select f.start_time, f.end_time, f.local_date, f.local_hour, f.utc_offset_min,
      f.business_date, f.total_in, f.total_out, f.footfall, f.staff_in,
      f.in_quarters::integer[], f.out_quarters::integer[], f.mall_traffic, f.trading_s,
      f.sensors_expected, f.sensors_heard, f.coverage, f.status, now()
    from app.live_hours(organization, store) f where f.sensor_id is null
  ), level as (
    select * from app.occupancy(array(
      select (store, l.business_date, l.start_time, l.in_quarters, l.out_quarters,
        ((l.business_date + 1 + make_interval(hours => s.occupancy_reset_hour))
          at time zone s.timezone) <= now())::app.counted_hour
      from line l join public.stores s on s.organization_id = organization and s.id = store))
  )
  select l.start_time, l.end_time, l.local_date, l.local_hour, l.utc_offset_min, l.business_date,
    l.total_in, l.total_out, l.footfall, l.staff_in,
    l.total_in - l.footfall - coalesce(l.staff_in, 0), l.mall_traffic, v.net::integer,
    v.peak::integer, l.trading_s, l.sensors_expected, l.sensors_heard, l.coverage, l.status,
    l.revised_at
  from line l left join level v on v.start_time = l.start_time;
end;
grant execute on function app.waiting(uuid, uuid), app.live_store_hours(uuid, uuid)
  to authenticated;

-- For a dashboard: never behind what has arrived. `live` says that a row was computed just now.
create view public.store_hourly_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.start_time, h.end_time, h.local_date, h.local_hour,
  h.utc_offset_min, h.business_date, h.total_in::bigint, h.total_out::bigint,
  h.footfall::bigint, h.staff_in::bigint, h.out_of_hours_in::bigint, h.mall_traffic::bigint,
  round(100.0 * h.footfall / nullif(h.mall_traffic, 0), 2) as capture_rate, h.net_occupancy,
  h.peak_occupancy, h.trading_s, h.sensors_expected, h.sensors_heard, h.coverage, h.status,
  h.revised_at, false as live
from public.stores s cross join lateral app.waiting(s.organization_id, s.id) w
join public.store_hourly h on h.organization_id = s.organization_id and h.store_id = s.id
  and h.business_date <> all (w.days)
union all
select s.organization_id, s.id, l.start_time, l.end_time, l.local_date, l.local_hour,
  l.utc_offset_min, l.business_date, l.total_in, l.total_out, l.footfall, l.staff_in,
  l.out_of_hours_in, l.mall_traffic, round(100.0 * l.footfall / nullif(l.mall_traffic, 0), 2),
  l.net_occupancy, l.peak_occupancy, l.trading_s, l.sensors_expected, l.sensors_heard,
  l.coverage, l.status, l.revised_at, true
from public.stores s cross join lateral app.live_store_hours(s.organization_id, s.id) l;

create view public.hourly_analytics_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.sensor_id, h.start_time, h.end_time, h.local_date,
  h.local_hour, h.utc_offset_min, h.total_in::bigint, h.total_out::bigint, h.footfall::bigint,
  h.mall_traffic::bigint, h.capture_rate, h.covered_s, h.readings, h.coverage, h.status,
  h.revised_at, false as live
from public.stores s cross join lateral app.waiting(s.organization_id, s.id) w
join public.hourly_analytics h on h.organization_id = s.organization_id and h.store_id = s.id
  and h.start_time <> all (w.hours)
union all
select s.organization_id, s.id, l.sensor_id, l.start_time, l.end_time, l.local_date,
  l.local_hour, l.utc_offset_min, l.total_in, l.total_out, l.footfall, l.mall_traffic,
  round(100.0 * l.footfall / nullif(l.mall_traffic, 0), 2), l.covered_s, l.readings, l.coverage,
  l.status, now(), true
from public.stores s cross join lateral app.live_hours(s.organization_id, s.id) l
where l.sensor_id is not null;
grant select on public.store_hourly_live, public.hourly_analytics_live to authenticated;
reset role;

-- Down Migration

set local role app_owner;
drop view public.hourly_analytics_live, public.store_hourly_live;
drop function app.live_store_hours(uuid, uuid), app.waiting(uuid, uuid);
reset role;
set local role app_definer;
drop function app.live_hours(uuid, uuid);
reset role;
set local role app_owner;
revoke execute on function app.computed_hours(uuid, uuid[], timestamptz[]),
  app.hours_of(timestamptz, text), app.trading(uuid, uuid, timestamp, integer) from app_definer;
drop policy store_holidays_select_definer on public.store_holidays;
drop policy store_closures_select_definer on public.store_closures;
drop policy store_hours_select_definer on public.store_hours;
drop policy sensor_metadata_select_definer on public.sensor_metadata;
revoke select (organization_id, store_id, sensor_id, in_count, out_count, interval_s)
  on public.people_counting_raw from app_definer;
revoke select on public.sensor_metadata, public.store_hours, public.store_closures,
  public.store_holidays from app_definer;
revoke execute on function app.hours_of(timestamptz, text), app.occupancy(app.counted_hour[])
  from authenticated;
drop policy rollup_dirty_days_select_person on app.rollup_dirty_days;
drop policy rollup_dirty_select_person on app.rollup_dirty;
revoke select on app.rollup_dirty, app.rollup_dirty_days from authenticated;
reset role;
