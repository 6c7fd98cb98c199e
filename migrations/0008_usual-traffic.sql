-- The watch may read what sensors usually count, to tell a blind one from a quiet hour.

-- Up Migration

set local role app_owner;
grant select on public.people_counting_raw, public.hourly_analytics to app_health;
create policy people_counting_raw_select_health on public.people_counting_raw for select
  to app_health using (organization_id = (select app.organization_id()));
create policy hourly_analytics_select_health on public.hourly_analytics for select to app_health
  using (organization_id = (select app.organization_id()));
reset role;

-- Down Migration

set local role app_owner;
drop policy hourly_analytics_select_health on public.hourly_analytics;
drop policy people_counting_raw_select_health on public.people_counting_raw;
revoke select on public.people_counting_raw, public.hourly_analytics from app_health;
reset role;
