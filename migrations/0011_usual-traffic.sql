-- The watch may read what sensors usually count, to tell a blind one from a quiet hour.

-- Up Migration

set local role app_owner;
grant select on public.people_counting_raw, public.hourly_analytics, public.store_closures
  to app_health;
create policy people_counting_raw_select_health on public.people_counting_raw for select
  to app_health using (organization_id = (select app.organization_id()));
create policy hourly_analytics_select_health on public.hourly_analytics for select to app_health
  using (organization_id = (select app.organization_id()));
create policy store_closures_select_health on public.store_closures for select to app_health
  using (organization_id = (select app.organization_id()));
reset role;

-- Down Migration

set local role app_owner;
drop policy store_closures_select_health on public.store_closures;
drop policy hourly_analytics_select_health on public.hourly_analytics;
drop policy people_counting_raw_select_health on public.people_counting_raw;
revoke select on public.people_counting_raw, public.hourly_analytics, public.store_closures
  from app_health;
reset role;
