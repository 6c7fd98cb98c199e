-- The live view shows estimates as well.

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
reset role;

-- Down Migration

set local role app_owner;
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
