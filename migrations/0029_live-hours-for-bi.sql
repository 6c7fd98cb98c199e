-- A BI login sees hours as they are now, as a person does.

-- Up Migration

set local role app_owner;
grant select on app.rollup_dirty, app.rollup_dirty_days to app_bi;
create policy rollup_dirty_select_bi on app.rollup_dirty for select to app_bi
  using (organization_id = (select app.login_organization_id())
    and store_id = any ((select app.login_store_ids())::uuid[]));
create policy rollup_dirty_days_select_bi on app.rollup_dirty_days for select to app_bi
  using (organization_id = (select app.login_organization_id())
    and store_id = any ((select app.login_store_ids())::uuid[]));
grant create on schema app to app_definer;
reset role;

-- What a BI session says about itself counts for nothing: claims are believed of who works as
-- `authenticated`, which no such login may become; of anybody else, only the login.
set local role app_definer;
create or replace function app.live_hours(organization uuid, store uuid)
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
      and d.organization_id = (select case current_setting('role')
        when 'authenticated' then app.member_organization_id() else app.login_organization_id() end)
      and d.store_id = any ((select case current_setting('role')
        when 'authenticated' then app.member_store_ids() else app.login_store_ids() end)::uuid[])
  ) m cross join lateral app.computed_hours(organization, m.stores, m.marks) c;
end;
grant execute on function app.live_hours(uuid, uuid) to app_bi;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
grant execute on function app.live_store_hours(uuid, uuid), app.waiting(uuid, uuid),
  app.hours_of(timestamptz, text),
  app.occupancy(app.counted_hour[]) to app_bi;
grant select on public.store_hourly_live, public.hourly_analytics_live to app_bi;

create view public.report_hours_live with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, s.name as store_name, s.timezone,
  h.local_date, h.local_hour, h.utc_offset_min, h.start_time, h.end_time, h.business_date,
  h.footfall, h.total_in, h.total_out, h.out_of_hours_in, h.trading_s, h.net_occupancy,
  h.peak_occupancy, h.mall_traffic, h.capture_rate, h.sensors_heard, h.sensors_expected,
  h.coverage, h.status, h.revised_at, h.staff_in, h.estimated_in, h.live
from public.store_hourly_live h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create view public.report_sensor_hours_live with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, h.sensor_id, h.local_date, h.local_hour,
  h.start_time, h.end_time, h.total_in, h.total_out, h.covered_s, h.readings, h.status,
  h.revised_at, h.live
from public.hourly_analytics_live h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
grant select on public.report_hours_live, public.report_sensor_hours_live to app_bi, authenticated;
reset role;

-- Down Migration

set local role app_owner;
drop view public.report_sensor_hours_live, public.report_hours_live;
revoke select on public.store_hourly_live, public.hourly_analytics_live from app_bi;
revoke execute on function app.live_store_hours(uuid, uuid), app.waiting(uuid, uuid),
  app.hours_of(timestamptz, text),
  app.occupancy(app.counted_hour[]) from app_bi;
grant create on schema app to app_definer;
reset role;
set local role app_definer;
create or replace function app.live_hours(organization uuid, store uuid)
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
revoke execute on function app.live_hours(uuid, uuid) from app_bi;
reset role;
set local role app_owner;
revoke create on schema app from app_definer;
drop policy rollup_dirty_days_select_bi on app.rollup_dirty_days;
drop policy rollup_dirty_select_bi on app.rollup_dirty;
revoke select on app.rollup_dirty, app.rollup_dirty_days from app_bi;
reset role;
