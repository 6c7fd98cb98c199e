-- What BI tools see of staff, estimates and visits; and hours of the store and of zones, and estimates,
-- are kept as long as those of sensors.

-- Up Migration

set local role app_owner;
create or replace view public.report_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, s.name as store_name, s.timezone,
  h.local_date, h.local_hour, h.utc_offset_min, h.start_time, h.end_time, h.business_date,
  h.footfall, h.total_in, h.total_out, h.out_of_hours_in, h.trading_s, h.net_occupancy,
  h.peak_occupancy, h.mall_traffic, h.capture_rate, h.sensors_heard, h.sensors_expected,
  h.coverage, h.status, h.revised_at, h.staff_in, h.estimated_in
from public.store_hourly h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create or replace view public.report_days with (security_invoker = true) as
select d.organization_id, d.store_id, s.code as store, s.name as store_name, s.timezone, d.date,
  d.total_footfall, d.total_in, d.total_out, d.out_of_hours_in, d.trading_s, d.peak_hour,
  d.peak_hour_footfall, d.peak_occupancy, d.mall_traffic, d.capture_rate, d.hours_in_day,
  d.coverage, d.status, d.updated_at, d.staff_in, d.estimated_in, d.avg_dwell_time, d.bounce_rate
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id;

do $$
declare
  relation text;
begin
  foreach relation in array array['store_hourly', 'zone_hourly', 'gap_estimates'] loop
    execute format('grant select, delete on public.%I to app_retention', relation);
    execute format('create policy %I on public.%I for select to app_retention
      using (organization_id = (select app.organization_id()))',
      relation || '_select_retention', relation);
    execute format('create policy %I on public.%I for delete to app_retention
      using (organization_id = (select app.organization_id()))',
      relation || '_delete_retention', relation);
  end loop;
end $$;
reset role;

-- Down Migration

set local role app_owner;
do $$
declare
  relation text;
begin
  foreach relation in array array['store_hourly', 'zone_hourly', 'gap_estimates'] loop
    execute format('drop policy %I on public.%I', relation || '_delete_retention', relation);
    execute format('drop policy %I on public.%I', relation || '_select_retention', relation);
    execute format('revoke select, delete on public.%I from app_retention', relation);
  end loop;
end $$;
drop view public.report_days, public.report_hours;
create view public.report_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, s.name as store_name, s.timezone,
  h.local_date, h.local_hour, h.utc_offset_min, h.start_time, h.end_time, h.business_date,
  h.footfall, h.total_in, h.total_out, h.out_of_hours_in, h.trading_s, h.net_occupancy,
  h.peak_occupancy, h.mall_traffic, h.capture_rate, h.sensors_heard, h.sensors_expected,
  h.coverage, h.status, h.revised_at
from public.store_hourly h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create view public.report_days with (security_invoker = true) as
select d.organization_id, d.store_id, s.code as store, s.name as store_name, s.timezone, d.date,
  d.total_footfall, d.total_in, d.total_out, d.out_of_hours_in, d.trading_s, d.peak_hour,
  d.peak_hour_footfall, d.peak_occupancy, d.mall_traffic, d.capture_rate, d.hours_in_day,
  d.coverage, d.status, d.updated_at
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id;
grant select on public.report_hours, public.report_days to app_bi, authenticated;
reset role;
