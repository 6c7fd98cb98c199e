-- What an hour is, in one place: the rollups write what app.computed_hours says, and the live view
-- shows what it says of hours that they have not written yet.

-- Up Migration

set local role app_owner;

alter table public.sensor_metadata drop constraint valid_role,
  add constraint valid_role
    check (role in ('entrance', 'outside', 'outside_passing', 'inside', 'staff'));
comment on column public.sensor_metadata.role is
  'entrance (also where null): counts for footfall. outside: sees everybody who passes. '
  'outside_passing: sees only those who do not come in. inside: neither. staff: those of the '
  'entrances'' counts whom the device knows to be staff, as a line of its own.';

alter table public.hourly_analytics add column footfall integer;
comment on column public.hourly_analytics.footfall is
  'What this door counted in trading hours, staff included; null where the line is no entrance.';
comment on column public.hourly_analytics.net_occupancy is
  'Null: one door does not know who is inside; store_hourly does.';
comment on column public.hourly_analytics.peak_occupancy is 'Null, as net_occupancy.';
comment on column public.hourly_analytics.mall_traffic is
  'Of the store, beside each of its doors; null without a sensor outside.';
comment on column public.hourly_analytics.capture_rate is
  'Percent of mall_traffic that came in by this door, staff included.';

alter table public.store_hourly add column staff_in integer;
comment on column public.store_hourly.staff_in is
  'In trading hours, taken off footfall; null where no sensor can tell staff.';
alter table public.daily_analytics add column staff_in integer;

grant update (occupancy_reset_hour) on public.stores to app_operator;
grant select, update (role, counting_from, counting_until, updated_at) on public.sensor_metadata
  to app_operator;
create policy sensor_metadata_select_operator on public.sensor_metadata for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy sensor_metadata_update_operator on public.sensor_metadata for update
  to app_operator using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create trigger audit after update on public.sensor_metadata for each row
  when (old.role is distinct from new.role or old.counting_from is distinct from new.counting_from
    or old.counting_until is distinct from new.counting_until)
  execute function app.audit();

-- Hours from raw, in one pass over the readings, as rows of two kinds: of each sensor that was
-- heard, and, without a sensor_id, of the store. Everything that a range of raw rows is compared
-- with is computed beforehand: adding an interval is not leakproof, so behind row security
-- PostgreSQL 15 would not use it on the index (8.7 s for 720 hours instead of 0.5 s).
create function app.computed_hours(organization uuid, stores uuid[], marks timestamptz[])
  returns table (store_id uuid, start_time timestamptz, sensor_id text, end_time timestamptz,
    local_date date, local_hour smallint, utc_offset_min smallint, business_date date,
    total_in bigint, total_out bigint, footfall bigint, staff_in bigint, in_quarters bigint[],
    out_quarters bigint[], mall_traffic bigint, trading_s integer, sensors_expected integer,
    sensors_heard integer, covered_s real, readings integer, coverage real, status text)
  language sql stable set search_path = ''
begin atomic
  with hour as materialized (
    select d.store_id, h.start_time, h.end_time, local_start, length_s,
      h.start_time + (900 - past_s) * interval '1 second' as quarter_1,
      h.start_time + (1800 - past_s) * interval '1 second' as quarter_2,
      h.start_time + (2700 - past_s) * interval '1 second' as quarter_3,
      (extract(epoch from local_start - (h.start_time at time zone 'UTC')) / 60)::smallint
        as utc_offset_min,
      (local_start - make_interval(hours => s.occupancy_reset_hour))::date as business_date,
      t.slots, t.trading_s
    from unnest(stores, marks) as d (store_id, mark)
    join public.stores s on s.organization_id = organization and s.id = d.store_id
    cross join lateral app.hours_of(d.mark, s.timezone) h
    cross join lateral (select h.start_time at time zone s.timezone as local_start,
      extract(epoch from h.end_time - h.start_time)::integer as length_s) l
    cross join lateral (select extract(minute from local_start)::integer * 60 as past_s) p
    cross join lateral app.trading(organization, d.store_id, local_start, length_s) t
  ), fresh as materialized (
    -- Times are added in whole milliseconds: a sum of floats would depend on the order of the rows.
    -- Single crossings have no length: having counted is all that they can prove.
    select h.store_id, h.start_time, r.sensor_id, r.ins, r.outs, r.readings,
      array[in_1, in_2, in_3, ins - in_1 - in_2 - in_3] as in_quarters,
      array[out_1, out_2, out_3, outs - out_1 - out_2 - out_3] as out_quarters,
      (least(covered_ms, h.length_s * 1000) / 1000.0)::real as covered_s,
      case when covered_ms = 0 then 1
        else round(least(covered_ms::numeric / (h.length_s * 1000), 1), 4) end as coverage
    from hour h cross join lateral (
      select p.sensor_id, sum(p.in_count) as ins, sum(p.out_count) as outs,
        sum((p.interval_s * 1000)::integer) as covered_ms, count(*)::integer as readings,
        coalesce(sum(p.in_count) filter (where p."timestamp" < h.quarter_1), 0) as in_1,
        coalesce(sum(p.in_count)
          filter (where p."timestamp" >= h.quarter_1 and p."timestamp" < h.quarter_2), 0) as in_2,
        coalesce(sum(p.in_count)
          filter (where p."timestamp" >= h.quarter_2 and p."timestamp" < h.quarter_3), 0) as in_3,
        coalesce(sum(p.out_count) filter (where p."timestamp" < h.quarter_1), 0) as out_1,
        coalesce(sum(p.out_count)
          filter (where p."timestamp" >= h.quarter_1 and p."timestamp" < h.quarter_2), 0) as out_2,
        coalesce(sum(p.out_count)
          filter (where p."timestamp" >= h.quarter_2 and p."timestamp" < h.quarter_3), 0) as out_3
      from public.people_counting_raw p
      where p.organization_id = organization and p.store_id = h.store_id
        and p."timestamp" >= h.start_time and p."timestamp" < h.end_time
      group by p.sensor_id
    ) r
  ), member as (
    -- A sensor belongs to an hour when it was expected to count in it, or did.
    select f.store_id, f.start_time, f.sensor_id from fresh f
    union
    select h.store_id, h.start_time, m.sensor_id
    from hour h
    join public.sensor_metadata m on m.organization_id = organization and m.store_id = h.store_id
    where m.sensor_type = 'line' and coalesce(m.counting_from, m.created_at) < h.end_time
      and coalesce(m.counting_until, 'infinity') >= h.end_time
  ), part as materialized (
    select h.store_id, h.start_time, member.sensor_id, coalesce(m.role, 'entrance') as role,
      f.readings is not null as heard, coalesce(f.coverage, 0) as coverage,
      coalesce(f.ins, 0) as ins, coalesce(f.outs, 0) as outs, f.in_quarters, f.out_quarters,
      coalesce(f.in_quarters[1] * (h.slots & 1) + f.in_quarters[2] * (h.slots >> 1 & 1)
        + f.in_quarters[3] * (h.slots >> 2 & 1) + f.in_quarters[4] * (h.slots >> 3 & 1), 0)
        as trading_in,
      coalesce(f.out_quarters[1] * (h.slots & 1) + f.out_quarters[2] * (h.slots >> 1 & 1)
        + f.out_quarters[3] * (h.slots >> 2 & 1) + f.out_quarters[4] * (h.slots >> 3 & 1), 0)
        as trading_out,
      f.covered_s, f.readings
    from member
    join hour h on h.store_id = member.store_id and h.start_time = member.start_time
    left join fresh f on f.store_id = member.store_id and f.start_time = member.start_time
      and f.sensor_id = member.sensor_id
    left join public.sensor_metadata m on m.organization_id = organization
      and m.store_id = member.store_id and m.sensor_id = member.sensor_id
  ), summed as (
    select p.store_id, p.start_time,
      coalesce(sum(ins) filter (where role = 'entrance'), 0) as ins,
      coalesce(sum(outs) filter (where role = 'entrance'), 0) as outs,
      coalesce(sum(trading_in) filter (where role = 'entrance'), 0) as trading_in,
      sum(trading_in) filter (where role = 'staff') as staff_in,
      array[coalesce(sum(in_quarters[1]) filter (where role = 'entrance'), 0),
        coalesce(sum(in_quarters[2]) filter (where role = 'entrance'), 0),
        coalesce(sum(in_quarters[3]) filter (where role = 'entrance'), 0),
        coalesce(sum(in_quarters[4]) filter (where role = 'entrance'), 0)] as in_quarters,
      array[coalesce(sum(out_quarters[1]) filter (where role = 'entrance'), 0),
        coalesce(sum(out_quarters[2]) filter (where role = 'entrance'), 0),
        coalesce(sum(out_quarters[3]) filter (where role = 'entrance'), 0),
        coalesce(sum(out_quarters[4]) filter (where role = 'entrance'), 0)] as out_quarters,
      sum(trading_in + trading_out) filter (where role in ('outside', 'outside_passing'))
        as passing,
      bool_or(role = 'outside_passing') as passing_only,
      count(*) filter (where role = 'entrance') as expected,
      count(*) filter (where role = 'entrance' and heard) as heard,
      coalesce(sum(p.coverage) filter (where role = 'entrance'), 0)
        / nullif(count(*) filter (where role = 'entrance'), 0) as coverage
    from part p group by p.store_id, p.start_time
  ), store as (
    select s.*, trading_in - coalesce(s.staff_in, 0) as footfall,
      s.passing + case when s.passing_only then trading_in - coalesce(s.staff_in, 0) else 0 end
        as mall_traffic
    from summed s
  )
  select h.store_id, h.start_time, p.sensor_id, h.end_time, h.local_start::date,
    extract(hour from h.local_start)::smallint, h.utc_offset_min, h.business_date, p.ins, p.outs,
    case when p.role = 'entrance' then p.trading_in end, null, p.in_quarters, p.out_quarters,
    case when p.role = 'entrance' then s.mall_traffic end, h.trading_s, 1, 1, p.covered_s,
    p.readings, p.coverage::real,
    case when p.coverage >= 0.99 then 'complete' else 'partial' end
  from part p
  join hour h on h.store_id = p.store_id and h.start_time = p.start_time
  join store s on s.store_id = p.store_id and s.start_time = p.start_time
  where p.heard
  union all
  select h.store_id, h.start_time, null, h.end_time, h.local_start::date,
    extract(hour from h.local_start)::smallint, h.utc_offset_min, h.business_date, s.ins, s.outs,
    s.footfall, s.staff_in, s.in_quarters, s.out_quarters, s.mall_traffic, h.trading_s,
    s.expected::integer, s.heard::integer, null, null,
    case when h.trading_s > 0 then s.coverage end::real,
    case when h.trading_s = 0 then 'closed' when coalesce(s.coverage, 0) = 0 then 'missing'
      when s.coverage >= 0.99 then 'complete' else 'partial' end
  from store s join hour h on h.store_id = s.store_id and h.start_time = s.start_time;
end;

-- One hour of a store, for occupancy.
create type app.counted_hour as (
  store_id uuid,
  business_date date,
  start_time timestamptz,
  in_quarters integer[],
  out_quarters integer[],
  -- The business day has ended.
  over boolean
);

-- How many people are inside, in quarter hours from the reset on. Counting lines miss people, so
-- entries and exits of a day never agree; once the day is over, the smaller side is scaled up to the
-- larger, and the day closes at zero. Raw counts are never touched, nothing is clamped but the peak.
create function app.occupancy(hours app.counted_hour[])
  returns table (store_id uuid, start_time timestamptz, net numeric, peak numeric)
  language sql immutable parallel safe set search_path = ''
begin atomic
  with hour as materialized (
    select * from unnest(hours)
  ), drift as (
    select h.store_id, h.business_date, bool_and(h.over) as over,
      sum(q.ins)::numeric as ins, sum(q.outs)::numeric as outs
    from hour h cross join lateral unnest(h.in_quarters, h.out_quarters) as q (ins, outs)
    group by h.store_id, h.business_date
  ), scaled as (
    select d.store_id, d.business_date,
      case when over and ins > 0 and outs > ins then outs / ins else 1 end as in_scale,
      case when over and outs > 0 and ins > outs then ins / outs else 1 end as out_scale
    from drift d
  ), step as (
    select h.store_id, h.start_time, q.k, sum(q.ins * s.in_scale - q.outs * s.out_scale)
      over (partition by h.store_id, h.business_date order by h.start_time, q.k) as inside
    from hour h join scaled s on s.store_id = h.store_id and s.business_date = h.business_date
    cross join lateral unnest(h.in_quarters, h.out_quarters) with ordinality as q (ins, outs, k)
  )
  select s.store_id, s.start_time, round(max(inside) filter (where k = 4)),
    round(greatest(max(inside), 0))
  from step s group by s.store_id, s.start_time;
end;
grant execute on function app.computed_hours(uuid, uuid[], timestamptz[]),
  app.occupancy(app.counted_hour[]) to app_rollup;
reset role;

-- Down Migration

set local role app_owner;
drop function app.occupancy(app.counted_hour[]), app.computed_hours(uuid, uuid[], timestamptz[]);
drop type app.counted_hour;
drop trigger audit on public.sensor_metadata;
drop policy sensor_metadata_update_operator on public.sensor_metadata;
drop policy sensor_metadata_select_operator on public.sensor_metadata;
revoke select, update (role, counting_from, counting_until, updated_at) on public.sensor_metadata
  from app_operator;
revoke update (occupancy_reset_hour) on public.stores from app_operator;
alter table public.daily_analytics drop column staff_in;
alter table public.store_hourly drop column staff_in;
alter table public.hourly_analytics drop column footfall;
comment on column public.hourly_analytics.net_occupancy is null;
comment on column public.hourly_analytics.peak_occupancy is null;
comment on column public.hourly_analytics.mall_traffic is null;
comment on column public.hourly_analytics.capture_rate is null;
comment on column public.sensor_metadata.role is
  'entrance (also where null): counts for footfall. outside: sees everybody who passes. outside_passing: sees only '
  'those who do not come in. inside: neither.';
-- Row security is forced on the owner too, who would change no row.
alter table public.sensor_metadata no force row level security;
update public.sensor_metadata set role = 'inside' where role = 'staff';
alter table public.sensor_metadata force row level security;
alter table public.sensor_metadata drop constraint valid_role,
  add constraint valid_role
    check (role in ('entrance', 'outside', 'outside_passing', 'inside'));
reset role;
