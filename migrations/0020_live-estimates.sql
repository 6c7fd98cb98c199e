-- The live view shows estimates as well; and how long visits last, where a zone of the store knows.

-- Up Migration

set local role app_owner;
-- An hour that waits has none: the fold of its day looks at its gaps anew.
create or replace view public.store_hourly_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.start_time, h.end_time, h.local_date, h.local_hour,
  h.utc_offset_min, h.business_date, h.total_in::bigint, h.total_out::bigint,
  h.footfall::bigint, h.staff_in::bigint, h.out_of_hours_in::bigint, h.mall_traffic::bigint,
  round(100.0 * h.footfall / nullif(h.mall_traffic, 0), 2) as capture_rate, h.net_occupancy,
  h.peak_occupancy, h.trading_s, h.sensors_expected, h.sensors_heard, h.coverage, h.status,
  h.revised_at, false as live, h.estimated_in::bigint
from public.stores s cross join lateral app.waiting(s.organization_id, s.id) w
join public.store_hourly h on h.organization_id = s.organization_id and h.store_id = s.id
  and h.business_date <> all (w.days)
union all
select s.organization_id, s.id, l.start_time, l.end_time, l.local_date, l.local_hour,
  l.utc_offset_min, l.business_date, l.total_in, l.total_out, l.footfall, l.staff_in,
  l.out_of_hours_in, l.mall_traffic, round(100.0 * l.footfall / nullif(l.mall_traffic, 0), 2),
  l.net_occupancy, l.peak_occupancy, l.trading_s, l.sensors_expected, l.sensors_heard,
  l.coverage, l.status, l.revised_at, true, null
from public.stores s cross join lateral app.live_store_hours(s.organization_id, s.id) l;

alter table public.zone_hourly
  -- Readings that say how long people stayed, and those of less than two minutes.
  add column stays integer,
  add column short_stays integer;
grant select on public.region_configurations to app_rollup;
create policy region_configurations_select_rollup on public.region_configurations for select
  to app_rollup using (organization_id = (select app.organization_id()));
comment on column public.region_configurations.type is
  'store: the whole store, so its stays are visits. store_visits: and each reading is one visit, so '
  'short ones can be counted. Anything else is a part of the store.';
comment on column public.daily_analytics.avg_dwell_time is
  'Seconds; null unless a zone of type store or store_visits says how long people stayed.';
comment on column public.daily_analytics.bounce_rate is
  'Percent of visits of less than two minutes; null unless a zone of type store_visits knows visits.';
reset role;

-- Down Migration

set local role app_owner;
comment on column public.daily_analytics.bounce_rate is null;
comment on column public.daily_analytics.avg_dwell_time is null;
comment on column public.region_configurations.type is null;
drop policy region_configurations_select_rollup on public.region_configurations;
revoke select on public.region_configurations from app_rollup;
alter table public.zone_hourly drop column short_stays, drop column stays;
drop view public.store_hourly_live;
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
grant select on public.store_hourly_live to authenticated;
reset role;
