-- Who reads HQ without being a person at a keyboard: programs with a key, and BI tools with a database
-- login of their own. Both stand for a member, and see what that member sees.

-- Up Migration

do $$
begin
  if to_regrole('app_bi') is null then create role app_bi nologin; end if;
end $$;

set local role app_owner;
alter table app.api_keys add column user_id uuid not null;
alter table app.api_keys add foreign key (organization_id, user_id)
  references app.memberships (organization_id, user_id) on delete cascade;
create index api_keys_member on app.api_keys (organization_id, user_id);
grant select (user_id), insert (user_id) on app.api_keys to app_operator;

-- A login of the server, by its name: nobody can set who they are.
create table app.bi_logins (
  organization_id uuid not null,
  -- Says nothing about the tenant: every login can list the names of all.
  login text not null check (login ~ '^bi_[0-9a-f]{12}$'),
  user_id uuid not null,
  name text not null check (length(name) between 1 and 255),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (organization_id, login),
  foreign key (organization_id, user_id)
    references app.memberships (organization_id, user_id) on delete cascade
);
create index bi_logins_member on app.bi_logins (organization_id, user_id);
create unique index bi_logins_login on app.bi_logins (login);
alter table app.bi_logins enable row level security;
alter table app.bi_logins force row level security;
create policy bi_logins_select_definer on app.bi_logins for select to app_definer using (true);
grant select on app.bi_logins to app_definer;
grant select, insert (organization_id, login, user_id, name), update (revoked_at)
  on app.bi_logins to app_operator;
create policy bi_logins_select_operator on app.bi_logins for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy bi_logins_insert_operator on app.bi_logins for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy bi_logins_update_operator on app.bi_logins for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create trigger audit after insert or update or delete on app.bi_logins
  for each row execute function app.audit();
grant create on schema app to app_definer;
reset role;

set local role app_definer;
drop function app.find_api_key(bytea);
-- The one look-up of a key that cannot name its organization yet.
create function app.find_api_key(hash bytea)
  returns table (organization_id uuid, user_id uuid, key_id uuid, scopes text[])
  language sql stable security definer set search_path = ''
begin atomic
  select k.organization_id, k.user_id, k.id, k.scopes from app.api_keys k
  join app.users u on u.id = k.user_id and u.is_active
  join public.organizations o on o.id = k.organization_id and o.deleted_at is null
  where k.key_hash = hash and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now());
end;
create function app.login_organization_id() returns uuid
  language sql stable security definer set search_path = ''
begin atomic
  select l.organization_id from app.bi_logins l
  join app.users u on u.id = l.user_id and u.is_active
  join public.organizations o on o.id = l.organization_id and o.deleted_at is null
  where l.login = session_user and l.revoked_at is null;
end;
create function app.login_store_ids() returns uuid[]
  language sql stable security definer set search_path = ''
begin atomic
  select app.stores_of_member(l.organization_id, l.user_id) from app.bi_logins l
  where l.login = session_user and l.organization_id = app.login_organization_id();
end;
revoke execute on function app.find_api_key(bytea), app.login_organization_id(),
  app.login_store_ids() from public;
grant execute on function app.find_api_key(bytea) to app_enroll;
grant execute on function app.login_organization_id(), app.login_store_ids() to app_bi;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
grant usage on schema public to app_bi;
grant select on public.stores, public.regions, public.hourly_analytics, public.store_hourly,
  public.daily_analytics, public.zone_hourly, public.alerts to app_bi;
create policy stores_select_bi on public.stores for select to app_bi
  using (organization_id = (select app.login_organization_id())
    and id = any ((select app.login_store_ids())::uuid[]));
create policy regions_select_bi on public.regions for select to app_bi
  using (organization_id = (select app.login_organization_id()));
create policy alerts_select_bi on public.alerts for select to app_bi
  using (organization_id = (select app.login_organization_id()) and deleted_at is null
    and store_id = any ((select app.login_store_ids())::uuid[]));
do $$
declare
  relation text;
begin
  foreach relation in array array['hourly_analytics', 'store_hourly', 'daily_analytics', 'zone_hourly']
  loop
    execute format('create policy %I on public.%I for select to app_bi using (
      organization_id = (select app.login_organization_id())
      and store_id = any ((select app.login_store_ids())::uuid[]))',
      relation || '_select_bi', relation);
  end loop;
end $$;

-- One row a thing, names beside the numbers: what a BI tool is pointed at.
create view public.report_stores with (security_invoker = true) as
select s.organization_id, s.id as store_id, s.code as store, s.name as store_name,
  r.code as region, r.name as region_name, s.timezone, s.area_m2, s.capacity,
  s.comparable_since, s.is_active
from public.stores s
left join public.regions r on r.organization_id = s.organization_id and r.id = s.region_id;
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
create view public.report_sensor_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, h.sensor_id, h.local_date, h.local_hour,
  h.start_time, h.end_time, h.total_in, h.total_out, h.covered_s, h.readings, h.status,
  h.revised_at
from public.hourly_analytics h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create view public.report_zone_hours with (security_invoker = true) as
select z.organization_id, z.store_id, s.code as store, z.sensor_id, z.region_id as zone,
  z.local_date, z.local_hour, z.start_time, z.end_time, z.mean_occupancy, z.peak_occupancy,
  z.dwell_time, z.covered_s, z.revised_at
from public.zone_hourly z
join public.stores s on s.organization_id = z.organization_id and s.id = z.store_id;
create view public.report_alerts with (security_invoker = true) as
select a.organization_id, a.store_id, s.code as store, a.alert_type, a.severity, a.title,
  a.description, a.created_at, a.is_resolved, a.resolved_at
from public.alerts a
join public.stores s on s.organization_id = a.organization_id and s.id = a.store_id;
grant select on public.report_stores, public.report_hours, public.report_days,
  public.report_sensor_hours, public.report_zone_hours, public.report_alerts
  to app_bi, authenticated;
reset role;

-- Down Migration

set local role app_owner;
drop view public.report_alerts, public.report_zone_hours, public.report_sensor_hours,
  public.report_days, public.report_hours, public.report_stores;
do $$
declare
  relation text;
begin
  foreach relation in array array['stores', 'regions', 'alerts', 'hourly_analytics', 'store_hourly',
    'daily_analytics', 'zone_hourly']
  loop
    execute format('drop policy %I on public.%I', relation || '_select_bi', relation);
    execute format('revoke select on public.%I from app_bi', relation);
  end loop;
end $$;
revoke usage on schema public from app_bi;
grant create on schema app to app_definer;
reset role;
set local role app_definer;
drop function app.login_store_ids(), app.login_organization_id(), app.find_api_key(bytea);
create function app.find_api_key(hash bytea)
  returns table (organization_id uuid, key_id uuid, scopes text[])
  language sql stable security definer set search_path = ''
begin atomic
  select k.organization_id, k.id, k.scopes from app.api_keys k
  where k.key_hash = hash and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now());
end;
revoke execute on function app.find_api_key(bytea) from public;
grant execute on function app.find_api_key(bytea) to app_operator;
reset role;
set local role app_owner;
revoke create on schema app from app_definer;
drop table app.bi_logins;
alter table app.api_keys drop column user_id;
reset role;
