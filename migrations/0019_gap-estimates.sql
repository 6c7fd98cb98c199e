-- What a door would have counted while it was not heard: beside the counts, never among them.

-- Up Migration

set local role app_owner;

create table public.gap_estimates (
  organization_id uuid not null,
  store_id uuid not null,
  start_time timestamptz not null,
  sensor_id text not null,
  local_date date not null,
  -- People who came in during the part of the hour that no reading covers.
  estimated_in integer not null check (estimated_in >= 0),
  missing_share numeric not null check (missing_share > 0 and missing_share <= 1),
  -- Median of what this door counted in the same hour of the same weekday, in the `basis` complete
  -- ones of the six weeks before.
  median_in numeric not null,
  basis smallint not null check (basis between 3 and 6),
  -- How today's complete hours of all doors compare with their own medians; 1 where too few tell.
  scale numeric not null,
  created_at timestamptz not null default now(),
  reverted_at timestamptz,
  reverted_reason text check (length(reverted_reason) <= 255),
  primary key (organization_id, store_id, start_time, sensor_id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index gap_estimates_date on public.gap_estimates (organization_id, store_id, local_date);
comment on table public.gap_estimates is
  'Goes when the readings arrive. A reverted one stays, and counts for nothing.';

alter table public.store_hourly add column estimated_in integer,
  drop constraint store_hourly_status_check,
  add constraint valid_status
    check (status in ('complete', 'partial', 'estimated', 'missing', 'closed'));
comment on column public.store_hourly.estimated_in is
  'Sum of the hour''s gap_estimates, not part of footfall; null without one.';
comment on column public.store_hourly.status is
  'estimated: incomplete, and every gap has an estimate. coverage tells what was really heard.';
alter table public.daily_analytics add column estimated_in integer,
  drop constraint daily_analytics_status_check,
  add constraint valid_status
    check (status in ('complete', 'partial', 'estimated', 'missing', 'closed'));
comment on column public.daily_analytics.estimated_in is
  'As in store_hourly: not part of total_footfall.';

alter table public.gap_estimates enable row level security;
alter table public.gap_estimates force row level security;
grant select, insert, delete on public.gap_estimates to app_rollup;
grant update (local_date, estimated_in, missing_share, median_in, basis, scale)
  on public.gap_estimates to app_rollup;
grant select on public.gap_estimates to app_operator, authenticated, app_bi;
grant update (reverted_at, reverted_reason) on public.gap_estimates to app_operator;
create policy gap_estimates_select_rollup on public.gap_estimates for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy gap_estimates_insert_rollup on public.gap_estimates for insert to app_rollup
  with check (organization_id = (select app.organization_id()));
create policy gap_estimates_update_rollup on public.gap_estimates for update to app_rollup
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy gap_estimates_delete_rollup on public.gap_estimates for delete to app_rollup
  using (organization_id = (select app.organization_id()));
create policy gap_estimates_select_operator on public.gap_estimates for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy gap_estimates_update_operator on public.gap_estimates for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy gap_estimates_select_person on public.gap_estimates for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create policy gap_estimates_select_bi on public.gap_estimates for select to app_bi
  using (organization_id = (select app.login_organization_id())
    and store_id = any ((select app.login_store_ids())::uuid[]));
create trigger audit after update on public.gap_estimates for each row
  when (old.reverted_at is distinct from new.reverted_at) execute function app.audit();

-- The gaps of whole local days: each hour of an entrance that ended before `until`, in which the
-- store traded and the door was not heard throughout; without a number where fewer than three
-- weeks can say one.
create function app.gaps(organization uuid, stores uuid[], dates date[], until timestamptz)
  returns table (store_id uuid, start_time timestamptz, sensor_id text, local_date date,
    estimated_in integer, missing_share numeric, median_in numeric, basis smallint, scale numeric)
  language sql stable set search_path = ''
begin atomic
  with hour as materialized (
    select h.*, bool_or(h.coverage < 0.99) over (partition by h.store_id, h.local_date) as gaps
    from unnest(stores, dates) as d (store_id, date)
    join public.store_hourly h on h.organization_id = organization and h.store_id = d.store_id
      and h.local_date = d.date and h.trading_s > 0 and h.end_time <= until
  ), door as materialized (
    select h.store_id, h.start_time, h.local_date, h.local_hour, h.trading_s, m.sensor_id,
      h.coverage < 0.99 and coalesce(a.coverage, 0) < 0.99 as is_gap,
      coalesce(round(a.coverage::numeric, 4), 0) as coverage, a.footfall
    from hour h
    join public.sensor_metadata m on m.organization_id = organization and m.store_id = h.store_id
      and m.sensor_type = 'line' and coalesce(m.role, 'entrance') = 'entrance'
      and coalesce(m.counting_from, m.created_at) < h.end_time
      and coalesce(m.counting_until, 'infinity') >= h.end_time
    left join public.hourly_analytics a on a.organization_id = organization
      and a.store_id = h.store_id and a.start_time = h.start_time and a.sensor_id = m.sensor_id
    where h.gaps
  ), known as materialized (
    select o.*, b.median_in, b.basis
    from door o cross join lateral (
      select percentile_cont(0.5) within group (order by a.footfall)::numeric as median_in,
        count(*)::smallint as basis
      from generate_series(7, 42, 7) back
      join public.store_hourly h on h.organization_id = organization and h.store_id = o.store_id
        and h.local_date = o.local_date - back and h.local_hour = o.local_hour
        and h.trading_s = o.trading_s
      join public.hourly_analytics a on a.organization_id = organization
        and a.store_id = o.store_id and a.start_time = h.start_time
        and a.sensor_id = o.sensor_id
      where a.coverage >= 0.99 and a.footfall is not null
    ) b
  ), today as (
    -- Of fewer than twenty people a ratio says nothing.
    select k.store_id, k.local_date, round(sum(k.footfall) / sum(k.median_in), 4) as scale
    from known k where k.coverage >= 0.99 and k.basis >= 3
    group by k.store_id, k.local_date having sum(k.median_in) >= 20
  )
  select k.store_id, k.start_time, k.sensor_id, k.local_date,
    case when k.basis >= 3
      then round(k.median_in * coalesce(t.scale, 1) * (1 - k.coverage)) end::integer,
    1 - k.coverage, k.median_in, k.basis, coalesce(t.scale, 1)
  from known k left join today t on t.store_id = k.store_id and t.local_date = k.local_date
  where k.is_gap;
end;
grant execute on function app.gaps(uuid, uuid[], date[], timestamptz) to app_rollup;
reset role;

-- Down Migration

set local role app_owner;
drop function app.gaps(uuid, uuid[], date[], timestamptz);
-- Row security is forced on the owner too, who would change no row.
alter table public.store_hourly no force row level security;
update public.store_hourly set status = case when coverage = 0 then 'missing' else 'partial' end
  where status = 'estimated';
alter table public.store_hourly force row level security;
alter table public.daily_analytics no force row level security;
update public.daily_analytics set status = case when coverage = 0 then 'missing' else 'partial' end
  where status = 'estimated';
alter table public.daily_analytics force row level security;
comment on column public.store_hourly.status is null;
alter table public.daily_analytics drop column estimated_in, drop constraint valid_status,
  add constraint daily_analytics_status_check
    check (status in ('complete', 'partial', 'missing', 'closed'));
alter table public.store_hourly drop column estimated_in, drop constraint valid_status,
  add constraint store_hourly_status_check
    check (status in ('complete', 'partial', 'missing', 'closed'));
drop table public.gap_estimates;
reset role;
