-- What is kept how long: raw months go to an archive and are then dropped, by a role that does
-- nothing else.

-- Up Migration

do $$
begin
  if to_regrole('app_retention') is null then create role app_retention nologin; end if;
end $$;
grant app_retention to cloud_sync;

set local role app_owner;
grant usage on schema public, app to app_retention;
grant execute on function app.organization_id(), app.partition_months(text) to app_retention;

-- One organization at a time: an archive holds one tenant a file.
grant select, insert on public.people_counting_raw, public.regional_counting_raw
  to app_retention;
create policy people_counting_raw_select_retention on public.people_counting_raw for select
  to app_retention using (organization_id = (select app.organization_id()));
create policy people_counting_raw_insert_retention on public.people_counting_raw for insert
  to app_retention with check (organization_id = (select app.organization_id()));
create policy regional_counting_raw_select_retention on public.regional_counting_raw for select
  to app_retention using (organization_id = (select app.organization_id()));
create policy regional_counting_raw_insert_retention on public.regional_counting_raw for insert
  to app_retention with check (organization_id = (select app.organization_id()));
grant select, delete on public.hourly_analytics, public.daily_analytics, public.alerts
  to app_retention;
grant update (deleted_at) on public.alerts to app_retention;
create policy hourly_analytics_select_retention on public.hourly_analytics for select
  to app_retention using (organization_id = (select app.organization_id()));
create policy hourly_analytics_delete_retention on public.hourly_analytics for delete
  to app_retention using (organization_id = (select app.organization_id()));
create policy daily_analytics_select_retention on public.daily_analytics for select
  to app_retention using (organization_id = (select app.organization_id()));
create policy daily_analytics_delete_retention on public.daily_analytics for delete
  to app_retention using (organization_id = (select app.organization_id()));
create policy alerts_select_retention on public.alerts for select to app_retention
  using (organization_id = (select app.organization_id()));
create policy alerts_update_retention on public.alerts for update to app_retention
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy alerts_delete_retention on public.alerts for delete to app_retention
  using (organization_id = (select app.organization_id()));

grant create on schema app to app_definer;
grant select ("timestamp") on public.people_counting_raw, public.regional_counting_raw
  to app_definer;
create policy people_counting_raw_select_definer on public.people_counting_raw for select
  to app_definer using (true);
create policy regional_counting_raw_select_definer on public.regional_counting_raw for select
  to app_definer using (true);
reset role;

-- Rows of a month of every organization: a number, to compare with what was archived.
set local role app_definer;
create function app.month_rows(relation text, month date) returns bigint
  language plpgsql stable security definer set search_path = '' as $$
declare
  n bigint;
begin
  if relation not in ('people_counting_raw', 'regional_counting_raw') then
    raise exception 'not a raw table: %', relation;
  end if;
  execute format('select count(*) from public.%I where "timestamp" >= $1 and "timestamp" < $2',
      relation)
    into n using month::timestamp at time zone 'UTC',
      (month + interval '1 month') at time zone 'UTC';
  return n;
end $$;
revoke execute on function app.month_rows(text, date) from public;
grant execute on function app.month_rows(text, date) to app_owner, app_retention;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
-- Refuses to drop a row that is in no archive: what arrived meanwhile waits for the next run.
create function app.drop_month(relation text, month date, archived bigint) returns boolean
  language plpgsql security definer set search_path = '' set lock_timeout = '10s' as $$
declare
  part text := relation || '_' || to_char(month, 'YYYY_MM');
begin
  if relation not in ('people_counting_raw', 'regional_counting_raw') then
    raise exception 'not a raw table: %', relation;
  end if;
  execute format('lock table parts.%I in access exclusive mode', part);
  if app.month_rows(relation, month) <> archived then return false; end if;
  execute format('drop table parts.%I', part);
  return true;
end $$;
-- Makes room for a month that comes back from the archive.
create function app.open_month(relation text, month date) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  part text := relation || '_' || to_char(month, 'YYYY_MM');
begin
  if relation not in ('people_counting_raw', 'regional_counting_raw') then
    raise exception 'not a raw table: %', relation;
  end if;
  perform pg_advisory_xact_lock(hashtext('footbridge ensure_partitions'));
  if to_regclass(format('parts.%I', part)) is not null then return; end if;
  execute format('create table parts.%I (like public.%I including all)', part, relation);
  execute format('alter table parts.%I enable row level security', part);
  execute format('alter table parts.%I force row level security', part);
  execute format('alter table public.%I attach partition parts.%I for values from (%L) to (%L)',
    relation, part, month::timestamp at time zone 'UTC',
    (month + interval '1 month') at time zone 'UTC');
end $$;
grant execute on function app.drop_month(text, date, bigint), app.open_month(text, date)
  to app_retention;
reset role;

-- Down Migration

set local role app_owner;
drop function app.open_month(text, date), app.drop_month(text, date, bigint);
reset role;
set local role app_definer;
drop function app.month_rows(text, date);
reset role;
set local role app_owner;
drop policy people_counting_raw_select_definer on public.people_counting_raw;
drop policy regional_counting_raw_select_definer on public.regional_counting_raw;
revoke select ("timestamp") on public.people_counting_raw, public.regional_counting_raw
  from app_definer;
drop policy people_counting_raw_select_retention on public.people_counting_raw;
drop policy people_counting_raw_insert_retention on public.people_counting_raw;
drop policy regional_counting_raw_select_retention on public.regional_counting_raw;
drop policy regional_counting_raw_insert_retention on public.regional_counting_raw;
drop policy hourly_analytics_select_retention on public.hourly_analytics;
drop policy hourly_analytics_delete_retention on public.hourly_analytics;
drop policy daily_analytics_select_retention on public.daily_analytics;
drop policy daily_analytics_delete_retention on public.daily_analytics;
drop policy alerts_select_retention on public.alerts;
drop policy alerts_update_retention on public.alerts;
drop policy alerts_delete_retention on public.alerts;
revoke all on public.people_counting_raw, public.regional_counting_raw, public.hourly_analytics,
  public.daily_analytics, public.alerts from app_retention;
revoke update (deleted_at) on public.alerts from app_retention;
revoke execute on function app.organization_id(), app.partition_months(text) from app_retention;
revoke usage on schema public, app from app_retention;
reset role;
