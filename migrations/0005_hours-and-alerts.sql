-- What HQ makes of the readings: hours in the store's own time, and alerts.

-- Up Migration

set local role app_owner;

create table public.hourly_analytics (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  sensor_id text not null,
  -- The instant at which the store's local hour starts. A key of local wall-clock hours merges the
  -- two hours of an autumn night; UTC hours cut half-hour zones in the middle.
  start_time timestamptz not null,
  end_time timestamptz not null,
  local_date date not null,
  local_hour smallint not null,
  utc_offset_min smallint not null,
  total_in integer not null default 0,
  total_out integer not null default 0,
  -- Null where nothing can know them (yet): 0 would be a claim.
  net_occupancy integer,
  peak_occupancy integer,
  transactions integer,
  conversion_rate numeric,
  avg_transaction_value numeric,
  mall_traffic integer,
  capture_rate numeric,
  -- Seconds of the hour that readings cover, and how many readings there were.
  covered_s real not null,
  readings integer not null,
  created_at timestamptz not null default now(),
  revised_at timestamptz not null default now(),
  primary key (organization_id, store_id, start_time, sensor_id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index hourly_analytics_sensor
  on public.hourly_analytics (organization_id, store_id, sensor_id, start_time);

create table public.alerts (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid,
  alert_type text not null,
  severity text not null,
  title text not null check (length(title) <= 255),
  description text,
  metadata jsonb not null default '{}',
  -- Names the episode's subject: at most one alert of it is open.
  dedup_key text not null,
  is_resolved boolean not null default false,
  resolved_at timestamptz,
  resolved_by uuid,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade,
  -- Only the person is forgotten when a membership ends, never the alert.
  foreign key (organization_id, resolved_by)
    references app.memberships (organization_id, user_id) on delete set null (resolved_by),
  constraint valid_severity check (severity in ('critical', 'warning', 'info')),
  constraint resolved_has_a_time check (is_resolved = (resolved_at is not null))
);
create unique index alerts_open on public.alerts (organization_id, dedup_key)
  where not is_resolved;
create index alerts_store on public.alerts (organization_id, store_id, created_at);
create index alerts_resolved_by on public.alerts (organization_id, resolved_by)
  where resolved_by is not null;

grant create on schema app to app_definer;
grant select on app.rollup_dirty to app_definer;
create policy rollup_dirty_select_definer on app.rollup_dirty for select to app_definer using (true);
reset role;

-- Organizations with hours to recompute. Steps from one organization to the next in the key instead
-- of reading a queue that may hold a month of hours.
set local role app_definer;
create function app.dirty_organization_ids() returns setof uuid
  language sql stable security definer set search_path = ''
begin atomic
  with recursive step as (
    (select d.organization_id from app.rollup_dirty d order by d.organization_id limit 1)
    union all
    select (select d.organization_id from app.rollup_dirty d
      where d.organization_id > step.organization_id order by d.organization_id limit 1)
    from step where step.organization_id is not null
  )
  select step.organization_id from step where step.organization_id is not null;
end;
revoke execute on function app.dirty_organization_ids() from public;
grant execute on function app.dirty_organization_ids() to app_rollup;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
alter table public.hourly_analytics enable row level security;
alter table public.hourly_analytics force row level security;
alter table public.alerts enable row level security;
alter table public.alerts force row level security;

grant select on public.people_counting_raw to app_rollup;
create policy people_counting_raw_select_rollup on public.people_counting_raw for select
  to app_rollup using (organization_id = (select app.organization_id()));
grant select, delete, update (n) on app.rollup_dirty to app_rollup;
create policy rollup_dirty_select_rollup on app.rollup_dirty for select to app_rollup
  using (organization_id = (select app.organization_id()));
-- SELECT FOR UPDATE, which claims a row, asks for this one.
create policy rollup_dirty_update_rollup on app.rollup_dirty for update to app_rollup
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy rollup_dirty_delete_rollup on app.rollup_dirty for delete to app_rollup
  using (organization_id = (select app.organization_id()));
grant select, insert, update, delete on public.hourly_analytics to app_rollup;
create policy hourly_analytics_select_rollup on public.hourly_analytics for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy hourly_analytics_insert_rollup on public.hourly_analytics for insert to app_rollup
  with check (organization_id = (select app.organization_id()));
create policy hourly_analytics_update_rollup on public.hourly_analytics for update to app_rollup
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy hourly_analytics_delete_rollup on public.hourly_analytics for delete to app_rollup
  using (organization_id = (select app.organization_id()));

grant select, insert, update (is_resolved, resolved_at) on public.alerts to app_health;
create policy alerts_select_health on public.alerts for select to app_health
  using (organization_id = (select app.organization_id()));
create policy alerts_insert_health on public.alerts for insert to app_health
  with check (organization_id = (select app.organization_id()));
create policy alerts_update_health on public.alerts for update to app_health
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));

grant select on public.hourly_analytics, public.alerts to authenticated;
create policy hourly_analytics_select_person on public.hourly_analytics for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
create policy alerts_select_person on public.alerts for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and deleted_at is null
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));

-- Columns of the seed that are facts of the moment: computed when read (`s.is_online`), because a
-- stored offset is wrong after a clock change and a stored state outlives what it says.
create function public.timezone_offset(sensor public.sensor_metadata) returns integer
  language sql stable set search_path = ''
begin atomic
  select (extract(epoch from (now() at time zone s.timezone) - (now() at time zone 'UTC')) / 60)::integer
  from public.stores s
  where s.organization_id = (sensor).organization_id and s.id = (sensor).store_id;
end;
create function public.health_status(sensor public.sensor_metadata) returns text
  language sql stable set search_path = ''
begin atomic
  select case
    when exists (select from public.alerts a
      where a.organization_id = (sensor).organization_id and not a.is_resolved
        and a.dedup_key = 'gateway_offline:' || (sensor).gateway_id) then 'offline'
    when exists (select from public.alerts a
      where a.organization_id = (sensor).organization_id and not a.is_resolved
        and a.dedup_key = 'sensor_silent:' || (sensor).id) then 'silent'
    when (sensor).last_seen_at is null then 'unknown'
    else 'healthy' end;
end;
create function public.is_online(sensor public.sensor_metadata) returns boolean
  language sql stable set search_path = ''
  return public.health_status(sensor) = 'healthy';
grant execute on function public.timezone_offset(public.sensor_metadata),
  public.health_status(public.sensor_metadata), public.is_online(public.sensor_metadata)
  to authenticated;

create view public.latest_sensor_data with (security_invoker = true) as
select sm.id, sm.organization_id, sm.store_id, sm.sensor_id, sm.name, sm.sensor_type,
  public.is_online(sm) as is_online, public.health_status(sm) as health_status, sm.last_seen_at,
  l."timestamp" as last_data_timestamp, l.in_count as last_in_count,
  l.out_count as last_out_count, s.name as store_name, s.timezone as store_timezone
from public.sensor_metadata sm
join public.stores s on s.organization_id = sm.organization_id and s.id = sm.store_id
left join app.sensor_latest l on l.organization_id = sm.organization_id
  and l.store_id = sm.store_id and l.sensor_id = sm.sensor_id;
grant select on public.latest_sensor_data to authenticated;
reset role;

-- Down Migration

set local role app_definer;
drop function app.dirty_organization_ids();
reset role;
set local role app_owner;
drop view public.latest_sensor_data;
drop function public.is_online(public.sensor_metadata), public.health_status(public.sensor_metadata),
  public.timezone_offset(public.sensor_metadata);
drop policy people_counting_raw_select_rollup on public.people_counting_raw;
revoke select on public.people_counting_raw from app_rollup;
drop policy rollup_dirty_select_definer on app.rollup_dirty;
drop policy rollup_dirty_select_rollup on app.rollup_dirty;
drop policy rollup_dirty_update_rollup on app.rollup_dirty;
drop policy rollup_dirty_delete_rollup on app.rollup_dirty;
revoke all on app.rollup_dirty from app_rollup, app_definer;
drop table public.alerts, public.hourly_analytics;
reset role;
