-- What is added up may pass 2^31: a counter that goes mad must not stop the hours of its organization.
-- And periods say, as days do, how much was estimated.

-- Up Migration

set local role app_owner;

drop view public.store_years, public.store_quarters, public.store_months, public.store_weeks,
  public.store_days, public.report_hours, public.report_days, public.report_sensor_hours,
  public.store_hourly_live, public.hourly_analytics_live;
drop function app.live_store_hours(uuid, uuid), app.gaps(uuid, uuid[], date[], timestamptz),
  app.occupancy(app.counted_hour[]);
drop type app.counted_hour;
drop function public.vs_last_year_percent(public.daily_analytics),
  public.vs_last_month_percent(public.daily_analytics),
  public.vs_last_week_percent(public.daily_analytics),
  public.vs_yesterday_percent(public.daily_analytics),
  public.footfall_change_percent(public.daily_analytics, integer);

alter table public.hourly_analytics
  alter column total_in type bigint,
  alter column total_out type bigint,
  alter column footfall type bigint,
  alter column mall_traffic type bigint,
  alter column net_occupancy type bigint,
  alter column peak_occupancy type bigint;
alter table public.store_hourly
  alter column total_in type bigint,
  alter column total_out type bigint,
  alter column footfall type bigint,
  alter column staff_in type bigint,
  alter column out_of_hours_in type bigint,
  alter column in_quarters type bigint[],
  alter column out_quarters type bigint[],
  alter column mall_traffic type bigint,
  alter column net_occupancy type bigint,
  alter column peak_occupancy type bigint,
  alter column estimated_in type bigint;
alter table public.daily_analytics
  alter column total_footfall type bigint,
  alter column peak_hour_footfall type bigint,
  alter column total_in type bigint,
  alter column total_out type bigint,
  alter column staff_in type bigint,
  alter column estimated_in type bigint,
  alter column out_of_hours_in type bigint,
  alter column mall_traffic type bigint,
  alter column peak_occupancy type bigint;
alter table public.gap_estimates
  alter column estimated_in type bigint;

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
-- One hour of a store, for occupancy.
create type app.counted_hour as (
  store_id uuid,
  business_date date,
  start_time timestamptz,
  in_quarters bigint[],
  out_quarters bigint[],
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

create function app.gaps(organization uuid, stores uuid[], dates date[], until timestamptz)
  returns table (store_id uuid, start_time timestamptz, sensor_id text, local_date date,
    estimated_in bigint, missing_share numeric, median_in numeric, basis smallint, scale numeric)
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
      then round(k.median_in * coalesce(t.scale, 1) * (1 - k.coverage)) end::bigint,
    1 - k.coverage, k.median_in, k.basis, coalesce(t.scale, 1)
  from known k left join today t on t.store_id = k.store_id and t.local_date = k.local_date
  where k.is_gap;
end;

-- The hours of a store whose numbers are not final yet, as the rollups will write them.
create function app.live_store_hours(organization uuid, store uuid)
  returns table (start_time timestamptz, end_time timestamptz, local_date date,
    local_hour smallint, utc_offset_min smallint, business_date date, total_in bigint,
    total_out bigint, footfall bigint, staff_in bigint, out_of_hours_in bigint,
    mall_traffic bigint, net_occupancy bigint, peak_occupancy bigint, trading_s integer,
    sensors_expected integer, sensors_heard integer, coverage real, status text,
    revised_at timestamptz)
  language sql stable set search_path = ''
begin atomic
  with waiting as materialized (
    select * from app.waiting(organization, store)
  ), line as materialized (
    select h.start_time, h.end_time, h.local_date, h.local_hour, h.utc_offset_min,
      h.business_date, h.total_in, h.total_out, h.footfall,
      h.staff_in, h.in_quarters, h.out_quarters, h.mall_traffic, h.trading_s,
      h.sensors_expected, h.sensors_heard, h.coverage, h.status, h.revised_at
    from waiting w cross join lateral unnest(w.days) day
    join public.store_hourly h on h.organization_id = organization and h.store_id = store
      and h.business_date = day and h.start_time <> all (w.hours)
    union
    select f.start_time, f.end_time, f.local_date, f.local_hour, f.utc_offset_min,
      f.business_date, f.total_in, f.total_out, f.footfall, f.staff_in,
      f.in_quarters, f.out_quarters, f.mall_traffic, f.trading_s,
      f.sensors_expected, f.sensors_heard, f.coverage, f.status, now()
    from app.live_hours(organization, store) f where f.sensor_id is null
  ), level as (
    select * from app.occupancy(array(
      select (store, l.business_date, l.start_time, l.in_quarters, l.out_quarters,
        ((l.business_date + 1 + make_interval(hours => s.occupancy_reset_hour))
          at time zone s.timezone) <= now())::app.counted_hour
      from line l join public.stores s on s.organization_id = organization and s.id = store))
  )
  select l.start_time, l.end_time, l.local_date, l.local_hour, l.utc_offset_min, l.business_date,
    l.total_in, l.total_out, l.footfall, l.staff_in,
    l.total_in - l.footfall - coalesce(l.staff_in, 0), l.mall_traffic, v.net::bigint,
    v.peak::bigint, l.trading_s, l.sensors_expected, l.sensors_heard, l.coverage, l.status,
    l.revised_at
  from line l left join level v on v.start_time = l.start_time;
end;

-- An hour that waits has none: the fold of its day looks at its gaps anew.
create view public.store_hourly_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.start_time, h.end_time, h.local_date, h.local_hour,
  h.utc_offset_min, h.business_date, h.total_in, h.total_out,
  h.footfall, h.staff_in, h.out_of_hours_in, h.mall_traffic,
  round(100.0 * h.footfall / nullif(h.mall_traffic, 0), 2) as capture_rate, h.net_occupancy,
  h.peak_occupancy, h.trading_s, h.sensors_expected, h.sensors_heard, h.coverage, h.status,
  h.revised_at, false as live, h.estimated_in
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
create view public.hourly_analytics_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.sensor_id, h.start_time, h.end_time, h.local_date,
  h.local_hour, h.utc_offset_min, h.total_in, h.total_out, h.footfall,
  h.mall_traffic, h.capture_rate, h.covered_s, h.readings, h.coverage, h.status,
  h.revised_at, false as live
from public.stores s cross join lateral app.waiting(s.organization_id, s.id) w
join public.hourly_analytics h on h.organization_id = s.organization_id and h.store_id = s.id
  and h.start_time <> all (w.hours)
union all
select s.organization_id, s.id, l.sensor_id, l.start_time, l.end_time, l.local_date,
  l.local_hour, l.utc_offset_min, l.total_in, l.total_out, l.footfall, l.mall_traffic,
  round(100.0 * l.footfall / nullif(l.mall_traffic, 0), 2), l.covered_s, l.readings, l.coverage,
  l.status, now(), true
from public.stores s cross join lateral app.live_hours(s.organization_id, s.id) l
where l.sensor_id is not null;
create view public.report_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, s.name as store_name, s.timezone,
  h.local_date, h.local_hour, h.utc_offset_min, h.start_time, h.end_time, h.business_date,
  h.footfall, h.total_in, h.total_out, h.out_of_hours_in, h.trading_s, h.net_occupancy,
  h.peak_occupancy, h.mall_traffic, h.capture_rate, h.sensors_heard, h.sensors_expected,
  h.coverage, h.status, h.revised_at, h.staff_in, h.estimated_in
from public.store_hourly h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create view public.report_days with (security_invoker = true) as
select d.organization_id, d.store_id, s.code as store, s.name as store_name, s.timezone, d.date,
  d.total_footfall, d.total_in, d.total_out, d.out_of_hours_in, d.trading_s, d.peak_hour,
  d.peak_hour_footfall, d.peak_occupancy, d.mall_traffic, d.capture_rate, d.hours_in_day,
  d.coverage, d.status, d.updated_at, d.staff_in, d.estimated_in, d.avg_dwell_time, d.bounce_rate
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id;
create view public.report_sensor_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, h.sensor_id, h.local_date, h.local_hour,
  h.start_time, h.end_time, h.total_in, h.total_out, h.covered_s, h.readings, h.status,
  h.revised_at
from public.hourly_analytics h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;

-- Every day of a store with its place in the calendar, beside the day 364 days before: the same
-- weekday of the same retail week, where a year of 53 weeks is restated by leaving out its first.
-- Two days compare when both traded and are nearly complete, and the earlier one is not older than
-- the store's comparable_since.
create view public.store_days with (security_invoker = true) as
select d.organization_id, d.store_id, d.date, h.name as holiday, w.year as week_year,
  (p.week + 1)::smallint as week,
  case when c.weeks is null then extract(year from d.date) else w.year end::integer as year,
  case when c.weeks is null then extract(quarter from d.date) else p.quarter + 1 end::smallint
    as quarter,
  case when c.weeks is null then extract(month from d.date)
    else p.quarter * 3 + p.month end::smallint as month,
  7 as days_in_week,
  case when c.weeks is null
    then extract(day from date_trunc('month', d.date) + interval '1 month' - interval '1 day')
    else 7 * (substr(c.weeks, p.month * 2 - 1, 1)::integer
      + (p.quarter = 3 and p.month = 3 and w.days = 371)::integer) end::integer as days_in_month,
  case when c.weeks is null then extract(day from date_trunc('quarter', d.date)
      + interval '3 months' - date_trunc('quarter', d.date))
    else 91 + case when p.quarter = 3 then w.days - 364 else 0 end end::integer
    as days_in_quarter,
  case when c.weeks is null
    then make_date(extract(year from d.date)::integer + 1, 1, 1) - date_trunc('year', d.date)::date
    else w.days end as days_in_year,
  d.total_footfall as footfall, d.staff_in, d.out_of_hours_in, d.mall_traffic, d.trading_s,
  d.coverage, d.status, b.date is not null as comparable,
  b.total_footfall as last_year_footfall, d.estimated_in
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id
left join public.calendars c on c.organization_id = d.organization_id
left join public.store_holidays h on h.organization_id = d.organization_id
  and h.store_id = d.store_id and h.date = d.date
-- The year that started last, and when the next one does. The first of January of the year 1 was a
-- Monday.
cross join lateral (
  select max(n) filter (where starts <= d.date) as year,
    d.date - max(starts) filter (where starts <= d.date) as past,
    min(starts) filter (where starts > d.date) - max(starts) filter (where starts <= d.date)
      as days
  from (
    select n, anchor
      - ((anchor - date '0001-01-01' - (coalesce(c.week_starts, 1) - 1)) + 3) % 7 + 3 as starts
    from (values (-1), (0), (1), (2)) as y (k)
    cross join lateral (select extract(year from d.date)::integer + k as n) n
    cross join lateral (select make_date(n,
      coalesce(extract(month from c.year_starts), 1)::integer,
      coalesce(extract(day from c.year_starts), 1)::integer) as anchor) a
  ) y
) w
cross join lateral (
  select w.past / 7 as week, least(w.past / 91, 3) as quarter,
    case when w.past / 7 - 13 * least(w.past / 91, 3) < substr(c.weeks, 1, 1)::integer then 1
      when w.past / 7 - 13 * least(w.past / 91, 3)
        < substr(c.weeks, 1, 1)::integer + substr(c.weeks, 3, 1)::integer then 2 else 3 end as month
) p
left join public.daily_analytics b on b.organization_id = d.organization_id
  and b.store_id = d.store_id and b.date = d.date - 364 and b.coverage >= 0.95
  and d.coverage >= 0.95 and b.date >= coalesce(s.comparable_since, '-infinity');

-- The same as periods, one view each. `last_year_footfall` and `comparable_footfall` are sums over
-- the days that compare, so a running or patchy period is compared day by day, restated. The figure
-- `as reported` is of the period that had the same number last year, when both are whole.
do $$
declare
  period record;
begin
  for period in select * from (values
    ('store_weeks', 'week_year', 'week', 'days_in_week'),
    ('store_months', 'year', 'month', 'days_in_month'),
    ('store_quarters', 'year', 'quarter', 'days_in_quarter'),
    ('store_years', 'year', '1::smallint', 'days_in_year')) as p (name, year, number, length)
  loop
    execute format($view$
      create view public.%1$I with (security_invoker = true) as
      with period as (
        select organization_id, store_id, %2$s as year, %3$s as number,
          min(date) as first_date, max(date) as last_date, count(*)::integer as days,
          max(%4$s) as days_expected, sum(footfall)::bigint as footfall, sum(staff_in)::bigint as staff_in,
          sum(out_of_hours_in)::bigint as out_of_hours_in, sum(mall_traffic)::bigint as mall_traffic,
          round(100.0 * sum(footfall) filter (where mall_traffic is not null)
            / nullif(sum(mall_traffic), 0), 2) as capture_rate,
          sum(trading_s) as trading_s,
          round(sum(round(coverage::numeric, 4) * trading_s) / nullif(sum(trading_s), 0), 4)
            as coverage,
          count(*) filter (where comparable)::integer as comparable_days,
          (sum(footfall) filter (where comparable))::bigint as comparable_footfall,
          sum(last_year_footfall)::bigint as last_year_footfall,
          sum(estimated_in)::bigint as estimated_in,
          array_remove(array_agg(holiday order by date), null) as holidays
        from public.store_days
        group by organization_id, store_id, %2$s, %3$s
      ), judged as (
        select p.*, coverage >= 0.95 and days = days_expected as whole from period p
      ), beside as (
        select j.*, lag(case when whole then footfall end) over line as previous_footfall,
          lag(last_date) over line as previous_date,
          max(case when whole then footfall end) over (
            partition by organization_id, store_id, number
            order by year range between 1 preceding and 1 preceding) as as_reported
        from judged j
        window line as (partition by organization_id, store_id order by year, number)
      )
      select organization_id, store_id, year, number, first_date, last_date, days, days_expected,
        footfall, staff_in, out_of_hours_in, mall_traffic, capture_rate, coverage,
        case when days < days_expected then 'partial' when trading_s = 0 then 'closed'
          when coverage = 0 then 'missing' when coverage >= 0.99 then 'complete'
          else 'partial' end as status,
        case when whole and previous_date + 1 = first_date
          then round(100.0 * (footfall - previous_footfall) / nullif(previous_footfall, 0), 2)
          end as vs_previous_percent,
        comparable_days, comparable_footfall, last_year_footfall,
        round(100.0 * (comparable_footfall - last_year_footfall) / nullif(last_year_footfall, 0), 2)
          as vs_last_year_percent,
        case when whole then as_reported end as last_year_footfall_as_reported,
        case when whole then round(100.0 * (footfall - as_reported) / nullif(as_reported, 0), 2)
          end as vs_last_year_as_reported_percent,
        holidays, estimated_in
      from beside$view$, period.name, period.year, period.number, period.length);
    execute format('grant select on public.%I to authenticated, app_bi', period.name);
  end loop;
end $$;

grant execute on function app.gaps(uuid, uuid[], date[], timestamptz),
  app.occupancy(app.counted_hour[]) to app_rollup;
grant execute on function app.occupancy(app.counted_hour[]), app.live_store_hours(uuid, uuid)
  to authenticated;
grant select on public.store_hourly_live, public.hourly_analytics_live to authenticated;
grant select on public.store_days, public.report_hours, public.report_days,
  public.report_sensor_hours to authenticated, app_bi;
reset role;

-- Down Migration

set local role app_owner;
drop view public.store_years, public.store_quarters, public.store_months, public.store_weeks,
  public.store_days, public.report_hours, public.report_days, public.report_sensor_hours,
  public.store_hourly_live, public.hourly_analytics_live;
drop function app.live_store_hours(uuid, uuid), app.gaps(uuid, uuid[], date[], timestamptz),
  app.occupancy(app.counted_hour[]);
drop type app.counted_hour;
drop function public.vs_last_year_percent(public.daily_analytics),
  public.vs_last_month_percent(public.daily_analytics),
  public.vs_last_week_percent(public.daily_analytics),
  public.vs_yesterday_percent(public.daily_analytics),
  public.footfall_change_percent(public.daily_analytics, integer);
alter table public.hourly_analytics
  alter column total_in type integer,
  alter column total_out type integer,
  alter column footfall type integer,
  alter column mall_traffic type integer,
  alter column net_occupancy type integer,
  alter column peak_occupancy type integer;
alter table public.store_hourly
  alter column total_in type integer,
  alter column total_out type integer,
  alter column footfall type integer,
  alter column staff_in type integer,
  alter column out_of_hours_in type integer,
  alter column in_quarters type integer[],
  alter column out_quarters type integer[],
  alter column mall_traffic type integer,
  alter column net_occupancy type integer,
  alter column peak_occupancy type integer,
  alter column estimated_in type integer;
alter table public.daily_analytics
  alter column total_footfall type integer,
  alter column peak_hour_footfall type integer,
  alter column total_in type integer,
  alter column total_out type integer,
  alter column staff_in type integer,
  alter column estimated_in type integer,
  alter column out_of_hours_in type integer,
  alter column mall_traffic type integer,
  alter column peak_occupancy type integer;
alter table public.gap_estimates
  alter column estimated_in type integer;
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
-- The hours of a store whose numbers are not final yet, as the rollups will write them.
create function app.live_store_hours(organization uuid, store uuid)
  returns table (start_time timestamptz, end_time timestamptz, local_date date,
    local_hour smallint, utc_offset_min smallint, business_date date, total_in bigint,
    total_out bigint, footfall bigint, staff_in bigint, out_of_hours_in bigint,
    mall_traffic bigint, net_occupancy integer, peak_occupancy integer, trading_s integer,
    sensors_expected integer, sensors_heard integer, coverage real, status text,
    revised_at timestamptz)
  language sql stable set search_path = ''
begin atomic
  with waiting as materialized (
    select * from app.waiting(organization, store)
  ), line as materialized (
    select h.start_time, h.end_time, h.local_date, h.local_hour, h.utc_offset_min,
      h.business_date, h.total_in::bigint, h.total_out::bigint, h.footfall::bigint,
      h.staff_in::bigint, h.in_quarters, h.out_quarters, h.mall_traffic::bigint, h.trading_s,
      h.sensors_expected, h.sensors_heard, h.coverage, h.status, h.revised_at
    from waiting w cross join lateral unnest(w.days) day
    join public.store_hourly h on h.organization_id = organization and h.store_id = store
      and h.business_date = day and h.start_time <> all (w.hours)
    union
    select f.start_time, f.end_time, f.local_date, f.local_hour, f.utc_offset_min,
      f.business_date, f.total_in, f.total_out, f.footfall, f.staff_in,
      f.in_quarters::integer[], f.out_quarters::integer[], f.mall_traffic, f.trading_s,
      f.sensors_expected, f.sensors_heard, f.coverage, f.status, now()
    from app.live_hours(organization, store) f where f.sensor_id is null
  ), level as (
    select * from app.occupancy(array(
      select (store, l.business_date, l.start_time, l.in_quarters, l.out_quarters,
        ((l.business_date + 1 + make_interval(hours => s.occupancy_reset_hour))
          at time zone s.timezone) <= now())::app.counted_hour
      from line l join public.stores s on s.organization_id = organization and s.id = store))
  )
  select l.start_time, l.end_time, l.local_date, l.local_hour, l.utc_offset_min, l.business_date,
    l.total_in, l.total_out, l.footfall, l.staff_in,
    l.total_in - l.footfall - coalesce(l.staff_in, 0), l.mall_traffic, v.net::integer,
    v.peak::integer, l.trading_s, l.sensors_expected, l.sensors_heard, l.coverage, l.status,
    l.revised_at
  from line l left join level v on v.start_time = l.start_time;
end;
-- An hour that waits has none: the fold of its day looks at its gaps anew.
create view public.store_hourly_live with (security_invoker = true) as
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
create view public.hourly_analytics_live with (security_invoker = true) as
select h.organization_id, h.store_id, h.sensor_id, h.start_time, h.end_time, h.local_date,
  h.local_hour, h.utc_offset_min, h.total_in::bigint, h.total_out::bigint, h.footfall::bigint,
  h.mall_traffic::bigint, h.capture_rate, h.covered_s, h.readings, h.coverage, h.status,
  h.revised_at, false as live
from public.stores s cross join lateral app.waiting(s.organization_id, s.id) w
join public.hourly_analytics h on h.organization_id = s.organization_id and h.store_id = s.id
  and h.start_time <> all (w.hours)
union all
select s.organization_id, s.id, l.sensor_id, l.start_time, l.end_time, l.local_date,
  l.local_hour, l.utc_offset_min, l.total_in, l.total_out, l.footfall, l.mall_traffic,
  round(100.0 * l.footfall / nullif(l.mall_traffic, 0), 2), l.covered_s, l.readings, l.coverage,
  l.status, now(), true
from public.stores s cross join lateral app.live_hours(s.organization_id, s.id) l
where l.sensor_id is not null;
create view public.report_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, s.name as store_name, s.timezone,
  h.local_date, h.local_hour, h.utc_offset_min, h.start_time, h.end_time, h.business_date,
  h.footfall, h.total_in, h.total_out, h.out_of_hours_in, h.trading_s, h.net_occupancy,
  h.peak_occupancy, h.mall_traffic, h.capture_rate, h.sensors_heard, h.sensors_expected,
  h.coverage, h.status, h.revised_at, h.staff_in, h.estimated_in
from public.store_hourly h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
create view public.report_days with (security_invoker = true) as
select d.organization_id, d.store_id, s.code as store, s.name as store_name, s.timezone, d.date,
  d.total_footfall, d.total_in, d.total_out, d.out_of_hours_in, d.trading_s, d.peak_hour,
  d.peak_hour_footfall, d.peak_occupancy, d.mall_traffic, d.capture_rate, d.hours_in_day,
  d.coverage, d.status, d.updated_at, d.staff_in, d.estimated_in, d.avg_dwell_time, d.bounce_rate
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id;
create view public.report_sensor_hours with (security_invoker = true) as
select h.organization_id, h.store_id, s.code as store, h.sensor_id, h.local_date, h.local_hour,
  h.start_time, h.end_time, h.total_in, h.total_out, h.covered_s, h.readings, h.status,
  h.revised_at
from public.hourly_analytics h
join public.stores s on s.organization_id = h.organization_id and s.id = h.store_id;
-- Every day of a store with its place in the calendar, beside the day 364 days before: the same
-- weekday of the same retail week, where a year of 53 weeks is restated by leaving out its first.
-- Two days compare when both traded and are nearly complete, and the earlier one is not older than
-- the store's comparable_since.
create view public.store_days with (security_invoker = true) as
select d.organization_id, d.store_id, d.date, h.name as holiday, w.year as week_year,
  (p.week + 1)::smallint as week,
  case when c.weeks is null then extract(year from d.date) else w.year end::integer as year,
  case when c.weeks is null then extract(quarter from d.date) else p.quarter + 1 end::smallint
    as quarter,
  case when c.weeks is null then extract(month from d.date)
    else p.quarter * 3 + p.month end::smallint as month,
  7 as days_in_week,
  case when c.weeks is null
    then extract(day from date_trunc('month', d.date) + interval '1 month' - interval '1 day')
    else 7 * (substr(c.weeks, p.month * 2 - 1, 1)::integer
      + (p.quarter = 3 and p.month = 3 and w.days = 371)::integer) end::integer as days_in_month,
  case when c.weeks is null then extract(day from date_trunc('quarter', d.date)
      + interval '3 months' - date_trunc('quarter', d.date))
    else 91 + case when p.quarter = 3 then w.days - 364 else 0 end end::integer
    as days_in_quarter,
  case when c.weeks is null
    then make_date(extract(year from d.date)::integer + 1, 1, 1) - date_trunc('year', d.date)::date
    else w.days end as days_in_year,
  d.total_footfall as footfall, d.staff_in, d.out_of_hours_in, d.mall_traffic, d.trading_s,
  d.coverage, d.status, b.date is not null as comparable,
  b.total_footfall as last_year_footfall
from public.daily_analytics d
join public.stores s on s.organization_id = d.organization_id and s.id = d.store_id
left join public.calendars c on c.organization_id = d.organization_id
left join public.store_holidays h on h.organization_id = d.organization_id
  and h.store_id = d.store_id and h.date = d.date
-- The year that started last, and when the next one does. The first of January of the year 1 was a
-- Monday.
cross join lateral (
  select max(n) filter (where starts <= d.date) as year,
    d.date - max(starts) filter (where starts <= d.date) as past,
    min(starts) filter (where starts > d.date) - max(starts) filter (where starts <= d.date)
      as days
  from (
    select n, anchor
      - ((anchor - date '0001-01-01' - (coalesce(c.week_starts, 1) - 1)) + 3) % 7 + 3 as starts
    from (values (-1), (0), (1), (2)) as y (k)
    cross join lateral (select extract(year from d.date)::integer + k as n) n
    cross join lateral (select make_date(n,
      coalesce(extract(month from c.year_starts), 1)::integer,
      coalesce(extract(day from c.year_starts), 1)::integer) as anchor) a
  ) y
) w
cross join lateral (
  select w.past / 7 as week, least(w.past / 91, 3) as quarter,
    case when w.past / 7 - 13 * least(w.past / 91, 3) < substr(c.weeks, 1, 1)::integer then 1
      when w.past / 7 - 13 * least(w.past / 91, 3)
        < substr(c.weeks, 1, 1)::integer + substr(c.weeks, 3, 1)::integer then 2 else 3 end as month
) p
left join public.daily_analytics b on b.organization_id = d.organization_id
  and b.store_id = d.store_id and b.date = d.date - 364 and b.coverage >= 0.95
  and d.coverage >= 0.95 and b.date >= coalesce(s.comparable_since, '-infinity');
-- The same as periods, one view each. `last_year_footfall` and `comparable_footfall` are sums over
-- the days that compare, so a running or patchy period is compared day by day, restated. The figure
-- `as reported` is of the period that had the same number last year, when both are whole.
do $$
declare
  period record;
begin
  for period in select * from (values
    ('store_weeks', 'week_year', 'week', 'days_in_week'),
    ('store_months', 'year', 'month', 'days_in_month'),
    ('store_quarters', 'year', 'quarter', 'days_in_quarter'),
    ('store_years', 'year', '1::smallint', 'days_in_year')) as p (name, year, number, length)
  loop
    execute format($view$
      create view public.%1$I with (security_invoker = true) as
      with period as (
        select organization_id, store_id, %2$s as year, %3$s as number,
          min(date) as first_date, max(date) as last_date, count(*)::integer as days,
          max(%4$s) as days_expected, sum(footfall) as footfall, sum(staff_in) as staff_in,
          sum(out_of_hours_in) as out_of_hours_in, sum(mall_traffic) as mall_traffic,
          round(100.0 * sum(footfall) filter (where mall_traffic is not null)
            / nullif(sum(mall_traffic), 0), 2) as capture_rate,
          sum(trading_s) as trading_s,
          round(sum(round(coverage::numeric, 4) * trading_s) / nullif(sum(trading_s), 0), 4)
            as coverage,
          count(*) filter (where comparable)::integer as comparable_days,
          sum(footfall) filter (where comparable) as comparable_footfall,
          sum(last_year_footfall) as last_year_footfall,
          array_remove(array_agg(holiday order by date), null) as holidays
        from public.store_days
        group by organization_id, store_id, %2$s, %3$s
      ), judged as (
        select p.*, coverage >= 0.95 and days = days_expected as whole from period p
      ), beside as (
        select j.*, lag(case when whole then footfall end) over line as previous_footfall,
          lag(last_date) over line as previous_date,
          max(case when whole then footfall end) over (
            partition by organization_id, store_id, number
            order by year range between 1 preceding and 1 preceding) as as_reported
        from judged j
        window line as (partition by organization_id, store_id order by year, number)
      )
      select organization_id, store_id, year, number, first_date, last_date, days, days_expected,
        footfall, staff_in, out_of_hours_in, mall_traffic, capture_rate, coverage,
        case when days < days_expected then 'partial' when trading_s = 0 then 'closed'
          when coverage = 0 then 'missing' when coverage >= 0.99 then 'complete'
          else 'partial' end as status,
        case when whole and previous_date + 1 = first_date
          then round(100.0 * (footfall - previous_footfall) / nullif(previous_footfall, 0), 2)
          end as vs_previous_percent,
        comparable_days, comparable_footfall, last_year_footfall,
        round(100.0 * (comparable_footfall - last_year_footfall) / nullif(last_year_footfall, 0), 2)
          as vs_last_year_percent,
        case when whole then as_reported end as last_year_footfall_as_reported,
        case when whole then round(100.0 * (footfall - as_reported) / nullif(as_reported, 0), 2)
          end as vs_last_year_as_reported_percent,
        holidays
      from beside$view$, period.name, period.year, period.number, period.length);
    execute format('grant select on public.%I to authenticated, app_bi', period.name);
  end loop;
end $$;
grant execute on function app.gaps(uuid, uuid[], date[], timestamptz),
  app.occupancy(app.counted_hour[]) to app_rollup;
grant execute on function app.occupancy(app.counted_hour[]), app.live_store_hours(uuid, uuid)
  to authenticated;
grant select on public.store_hourly_live, public.hourly_analytics_live to authenticated;
grant select on public.store_days, public.report_hours, public.report_days,
  public.report_sensor_hours to authenticated, app_bi;
reset role;
