-- Hours and days of a store: what they say, how complete they are, and what is still to be computed.

-- Up Migration

set local role app_owner;

alter table public.stores
  add column occupancy_reset_hour smallint not null default 4
    constraint valid_occupancy_reset_hour check (occupancy_reset_hour between 0 and 23);
comment on column public.stores.occupancy_reset_hour is
  'Local hour at which nobody is inside: occupancy starts from zero there, and a business day ends.';

-- What crossing this line means for the store, and when the sensor was expected to count.
-- No defaults: PostgreSQL 15 refuses them on a table whose row type a function takes.
alter table public.sensor_metadata
  add column role text
    constraint valid_role check (role in ('entrance', 'outside', 'outside_passing', 'inside')),
  add column counting_from timestamptz,
  add column counting_until timestamptz;
comment on column public.sensor_metadata.role is
  'entrance (also where null): counts for footfall. outside: sees everybody who passes. outside_passing: sees only '
  'those who do not come in. inside: neither.';
comment on column public.sensor_metadata.counting_from is
  'Hours before do not wait for this sensor; null: created_at.';

-- The hours of a zone's clock behind one dirty mark. A mark is date_trunc('hour', instant, zone);
-- nearly always that is one hour of sixty minutes. Where the clock moves inside it, rows before and
-- after the move belong to different hours: Lord Howe moves by half an hour, and St. John's and Gaza
-- moved at one minute past, so the truncated instant alone would merge two hours.
create function app.hours_of(mark timestamptz, zone text)
  returns table (start_time timestamptz, end_time timestamptz)
  language sql stable parallel safe set search_path = ''
begin atomic
  select mark, mark + interval '1 hour'
  where (mark at time zone zone) + interval '59 minutes'
    = (mark + interval '59 minutes') at time zone zone
  union all
  select min(m), max(m) + interval '1 minute'
  from generate_series(mark, mark + interval '59 minutes', interval '1 minute') m
  where (mark at time zone zone) + interval '59 minutes'
      <> (mark + interval '59 minutes') at time zone zone
    and date_trunc('hour', m, zone) = mark
  group by (m at time zone zone) - (m at time zone 'UTC');
end;

-- Which quarter hours of a local hour the store trades in (bit k: the quarter that starts at minute
-- 15 k), and their seconds.
create function app.trading(organization uuid, store uuid, local_start timestamp, length_s integer,
    out slots integer, out trading_s integer)
  language sql stable set search_path = ''
begin atomic
  select coalesce(bit_or(1 << k), 0),
    coalesce(sum(least((k + 1) * 900, past_s + length_s) - greatest(k * 900, past_s)), 0)
  from (select extract(minute from local_start)::integer * 60 as past_s) p,
    generate_series(0, 3) k
  where (k + 1) * 900 > past_s and k * 900 < past_s + length_s
    and not exists (select from public.store_closures c
      where c.organization_id = organization and c.store_id = store
        and local_start::date between c.first_date and c.last_date)
    and (not exists (select from public.store_hours o
        where o.organization_id = organization and o.store_id = store)
      or exists (select from public.store_hours o
        where o.organization_id = organization and o.store_id = store
          and o.weekday = extract(isodow from local_start)
          and o.opens <= (date_trunc('hour', local_start) + k * interval '15 minutes')::time
          and o.closes > (date_trunc('hour', local_start) + k * interval '15 minutes')::time));
end;
grant execute on function app.hours_of(timestamptz, text),
  app.trading(uuid, uuid, timestamp, integer) to app_rollup;

alter table public.hourly_analytics
  add column coverage real,
  add column status text
    constraint valid_status check (status in ('complete', 'partial', 'missing', 'closed'));

create table public.store_hourly (
  organization_id uuid not null,
  store_id uuid not null,
  start_time timestamptz not null,
  end_time timestamptz not null,
  local_date date not null,
  local_hour smallint not null,
  utc_offset_min smallint not null,
  -- The day this hour's occupancy belongs to: it ends at the store's reset hour, not at midnight.
  business_date date not null,
  -- Entrances, whatever the time.
  total_in integer not null,
  total_out integer not null,
  -- Entrances in trading hours, and what they counted outside of them.
  footfall integer not null,
  out_of_hours_in integer not null,
  in_quarters integer[] not null,
  out_quarters integer[] not null,
  mall_traffic integer,
  capture_rate numeric,
  net_occupancy integer,
  peak_occupancy integer,
  trading_s integer not null,
  sensors_expected integer not null,
  sensors_heard integer not null,
  -- Share of the hour that readings of the expected entrances cover; null while it is closed.
  coverage real,
  status text not null check (status in ('complete', 'partial', 'missing', 'closed')),
  created_at timestamptz not null default now(),
  revised_at timestamptz not null default now(),
  primary key (organization_id, store_id, start_time),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index store_hourly_date on public.store_hourly (organization_id, store_id, local_date);
create index store_hourly_business
  on public.store_hourly (organization_id, store_id, business_date);

create table public.zone_hourly (
  organization_id uuid not null,
  store_id uuid not null,
  start_time timestamptz not null,
  end_time timestamptz not null,
  sensor_id text not null,
  region_id text not null,
  local_date date not null,
  local_hour smallint not null,
  mean_occupancy numeric,
  peak_occupancy integer,
  -- Mean of the intervals' means: no device says how many people left.
  dwell_time numeric,
  readings integer not null,
  covered_s real not null,
  created_at timestamptz not null default now(),
  revised_at timestamptz not null default now(),
  primary key (organization_id, store_id, start_time, sensor_id, region_id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);

create table public.daily_analytics (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  date date not null,
  total_footfall integer not null,
  unique_visitors integer,
  peak_hour smallint,
  peak_hour_footfall integer,
  conversion_rate numeric,
  avg_dwell_time numeric,
  bounce_rate numeric,
  total_revenue numeric,
  total_transactions integer,
  avg_basket_size numeric,
  total_in integer not null,
  total_out integer not null,
  out_of_hours_in integer not null,
  mall_traffic integer,
  capture_rate numeric,
  -- Of the business day that starts on this date.
  peak_occupancy integer,
  hours_in_day smallint not null,
  trading_s integer not null,
  coverage real,
  status text not null check (status in ('complete', 'partial', 'missing', 'closed')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, store_id, date),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
comment on column public.daily_analytics.unique_visitors is
  'Null: a counting line cannot tell who came twice.';

-- Days to fold, marked like hours are.
create table app.rollup_dirty_days (
  organization_id uuid not null,
  store_id uuid not null,
  date date not null,
  n integer not null default 1,
  marked_at timestamptz not null default now(),
  primary key (organization_id, store_id, date)
);

-- Up to where the hours of an organization's stores are closed, so that an hour in which nothing
-- arrived still gets its row and says that it is missing.
create table app.rollup_progress (
  organization_id uuid primary key references public.organizations (id),
  closed_until timestamptz not null
);

create table app.job_runs (
  id bigint generated always as identity primary key,
  job text not null check (length(job) <= 50),
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  outcome text check (outcome in ('done', 'failed')),
  detail text check (length(detail) <= 1000)
);
create index job_runs_job on app.job_runs (job, started_at desc);

do $$
declare
  one text;
  command text;
begin
  -- What the rollup role writes and a person may read.
  foreach one in array array['public.store_hourly', 'public.zone_hourly', 'public.daily_analytics',
      'app.rollup_dirty_days',
      'app.rollup_progress', 'app.job_runs'] loop
    execute format('alter table %s enable row level security', one);
    execute format('alter table %s force row level security', one);
  end loop;
  foreach one in array array['store_hourly', 'zone_hourly', 'daily_analytics'] loop
    execute format('grant select on public.%I to authenticated, app_rollup', one);
    execute format('create policy %I on public.%I for select to authenticated
      using (organization_id = (select app.member_organization_id())
        and ((select app.member_all_stores())
          or store_id = any ((select app.member_store_ids())::uuid[])))',
      one || '_select_person', one);
    execute format('create policy %I on public.%I for select to app_rollup
      using (organization_id = (select app.organization_id()))', one || '_select_rollup', one);
  end loop;
  foreach one in array array['public.store_hourly', 'public.zone_hourly', 'public.daily_analytics',
      'app.rollup_dirty_days', 'app.rollup_progress'] loop
    execute format('grant select, insert, update, delete on %s to app_rollup', one);
    execute format('create policy %I on %s for insert to app_rollup
      with check (organization_id = (select app.organization_id()))',
      split_part(one, '.', 2) || '_insert_rollup', one);
    execute format('create policy %I on %s for update to app_rollup
      using (organization_id = (select app.organization_id()))
      with check (organization_id = (select app.organization_id()))',
      split_part(one, '.', 2) || '_update_rollup', one);
    execute format('create policy %I on %s for delete to app_rollup
      using (organization_id = (select app.organization_id()))',
      split_part(one, '.', 2) || '_delete_rollup', one);
  end loop;
end $$;

create policy rollup_dirty_days_select_rollup on app.rollup_dirty_days for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy rollup_progress_select_rollup on app.rollup_progress for select to app_rollup
  using (organization_id = (select app.organization_id()));

-- Runs of jobs name no tenant.
grant select, insert, update (finished_at, outcome, detail) on app.job_runs to app_rollup;
create policy job_runs_select_rollup on app.job_runs for select to app_rollup using (true);
create policy job_runs_insert_rollup on app.job_runs for insert to app_rollup
  with check (outcome is null);
create policy job_runs_update_rollup on app.job_runs for update to app_rollup
  using (outcome is null) with check (outcome is not null);

-- The rollup knows which sensors it waits for, reads zones, and marks hours itself.
grant select on public.sensor_metadata, public.regional_counting_raw to app_rollup;
create policy sensor_metadata_select_rollup on public.sensor_metadata for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy regional_counting_raw_select_rollup on public.regional_counting_raw for select
  to app_rollup using (organization_id = (select app.organization_id()));
grant insert on app.rollup_dirty to app_rollup;
create policy rollup_dirty_insert_rollup on app.rollup_dirty for insert to app_rollup
  with check (organization_id = (select app.organization_id()));
grant update (counting_until) on public.sensor_metadata to app_ingest;

grant create on schema app to app_definer;
grant select on app.rollup_dirty_days to app_definer;
create policy rollup_dirty_days_select_definer on app.rollup_dirty_days for select
  to app_definer using (true);
reset role;

set local role app_definer;
create function app.dirty_day_organization_ids() returns setof uuid
  language sql stable security definer set search_path = ''
begin atomic
  with recursive step as (
    (select d.organization_id from app.rollup_dirty_days d order by d.organization_id limit 1)
    union all
    select (select d.organization_id from app.rollup_dirty_days d
      where d.organization_id > step.organization_id order by d.organization_id limit 1)
    from step where step.organization_id is not null
  )
  select step.organization_id from step where step.organization_id is not null;
end;
revoke execute on function app.dirty_day_organization_ids() from public;
grant execute on function app.dirty_day_organization_ids() to app_rollup;
grant execute on function app.active_organization_ids() to app_rollup;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

-- Comparisons are facts of two days: computed when read (`d.vs_yesterday_percent`), because a stored
-- one goes stale when the other day is revised. Null unless both days are nearly complete.
create function public.footfall_change_percent(day public.daily_analytics, days_back integer)
  returns numeric language sql stable set search_path = ''
begin atomic
  select round(100.0 * ((day).total_footfall - b.total_footfall) / nullif(b.total_footfall, 0), 2)
  from public.daily_analytics b
  where b.organization_id = (day).organization_id and b.store_id = (day).store_id
    and b.date = (day).date - days_back and b.coverage >= 0.95 and (day).coverage >= 0.95;
end;
create function public.vs_yesterday_percent(day public.daily_analytics) returns numeric
  language sql stable set search_path = '' return public.footfall_change_percent(day, 1);
create function public.vs_last_week_percent(day public.daily_analytics) returns numeric
  language sql stable set search_path = '' return public.footfall_change_percent(day, 7);
-- Four weeks: the same weekday, which a calendar month does not keep.
create function public.vs_last_month_percent(day public.daily_analytics) returns numeric
  language sql stable set search_path = '' return public.footfall_change_percent(day, 28);
-- 52 weeks: the same day of the same retail week, with a year of 53 weeks restated by leaving out
-- its first.
create function public.vs_last_year_percent(day public.daily_analytics) returns numeric
  language sql stable set search_path = '' return public.footfall_change_percent(day, 364);
grant execute on function public.footfall_change_percent(public.daily_analytics, integer),
  public.vs_yesterday_percent(public.daily_analytics),
  public.vs_last_week_percent(public.daily_analytics),
  public.vs_last_month_percent(public.daily_analytics),
  public.vs_last_year_percent(public.daily_analytics) to authenticated;
reset role;

-- Down Migration

set local role app_definer;
revoke execute on function app.active_organization_ids() from app_rollup;
drop function app.dirty_day_organization_ids();
reset role;
set local role app_owner;
drop function public.vs_last_year_percent(public.daily_analytics),
  public.vs_last_month_percent(public.daily_analytics),
  public.vs_last_week_percent(public.daily_analytics),
  public.vs_yesterday_percent(public.daily_analytics),
  public.footfall_change_percent(public.daily_analytics, integer);
revoke update (counting_until) on public.sensor_metadata from app_ingest;
drop policy rollup_dirty_insert_rollup on app.rollup_dirty;
revoke insert on app.rollup_dirty from app_rollup;
drop policy regional_counting_raw_select_rollup on public.regional_counting_raw;
drop policy sensor_metadata_select_rollup on public.sensor_metadata;
revoke select on public.sensor_metadata, public.regional_counting_raw from app_rollup;
drop function app.trading(uuid, uuid, timestamp, integer), app.hours_of(timestamptz, text);
drop table app.job_runs, app.rollup_progress, app.rollup_dirty_days, public.daily_analytics,
  public.zone_hourly, public.store_hourly;
alter table public.hourly_analytics drop column status, drop column coverage;
alter table public.sensor_metadata drop column counting_until, drop column counting_from,
  drop column role;
alter table public.stores drop column occupancy_reset_hour;
reset role;
