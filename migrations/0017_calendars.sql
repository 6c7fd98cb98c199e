-- Weeks, months, quarters and years as the organization counts them, and days with hours of their own.

-- Up Migration

set local role app_owner;

-- A year starts on the weekday `week_starts` nearest to `year_starts`: Monday nearest to 1 January is
-- the ISO year, Sunday nearest to 1 February the one of the National Retail Federation. `weeks` says
-- how the thirteen weeks of a quarter make months; a 53rd week belongs to the last. Null: months,
-- quarters and years of the wall calendar, beside weeks. No row: ISO.
create table public.calendars (
  organization_id uuid primary key references public.organizations (id),
  week_starts smallint not null check (week_starts between 1 and 7),
  -- A day that every year has; its year says nothing.
  year_starts date not null check (extract(day from year_starts) <= 28),
  weeks text check (weeks in ('4-5-4', '4-4-5', '5-4-4')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.calendars.week_starts is 'ISO: 1 is Monday, 7 is Sunday.';

-- A day with a name, and perhaps with hours of its own; a day without trade is a closure.
create table public.store_holidays (
  organization_id uuid not null,
  store_id uuid not null,
  date date not null,
  name text not null check (length(name) between 1 and 100),
  opens time,
  closes time,
  primary key (organization_id, store_id, date),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade,
  constraint opens_before_it_closes check ((opens is null) = (closes is null) and opens < closes),
  constraint whole_quarter_hours check (
    extract(epoch from opens)::integer % 900 = 0 and extract(epoch from closes)::integer % 900 = 0)
);
comment on column public.store_holidays.opens is 'Null, with closes: the weekly hours hold.';

alter table public.calendars enable row level security;
alter table public.calendars force row level security;
alter table public.store_holidays enable row level security;
alter table public.store_holidays force row level security;
grant select on public.calendars, public.store_holidays to app_operator, authenticated, app_bi;
grant insert, delete on public.calendars, public.store_holidays to app_operator;
grant select on public.store_holidays to app_rollup;
create policy calendars_select_operator on public.calendars for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy calendars_insert_operator on public.calendars for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy calendars_delete_operator on public.calendars for delete to app_operator
  using (organization_id = (select app.organization_id()));
create policy calendars_select_person on public.calendars for select to authenticated
  using (organization_id = (select app.member_organization_id()));
create policy calendars_select_bi on public.calendars for select to app_bi
  using (organization_id = (select app.login_organization_id()));
create policy store_holidays_select_bi on public.store_holidays for select to app_bi
  using (organization_id = (select app.login_organization_id())
    and store_id = any ((select app.login_store_ids())::uuid[]));
create policy store_holidays_select_operator on public.store_holidays for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_holidays_insert_operator on public.store_holidays for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy store_holidays_delete_operator on public.store_holidays for delete to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_holidays_select_rollup on public.store_holidays for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy store_holidays_select_person on public.store_holidays for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create trigger audit after insert or update or delete on public.calendars
  for each row execute function app.audit();
create trigger audit after insert or update or delete on public.store_holidays
  for each row execute function app.audit();

-- As before, with the hours of a holiday instead of the weekly ones where it has some.
create or replace function app.trading(organization uuid, store uuid, local_start timestamp,
    length_s integer, out slots integer, out trading_s integer)
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
    and coalesce(
      (select o.opens <= (date_trunc('hour', local_start) + k * interval '15 minutes')::time
          and o.closes > (date_trunc('hour', local_start) + k * interval '15 minutes')::time
        from public.store_holidays o
        where o.organization_id = organization and o.store_id = store
          and o.date = local_start::date and o.opens is not null),
      not exists (select from public.store_hours o
        where o.organization_id = organization and o.store_id = store)
      or exists (select from public.store_hours o
        where o.organization_id = organization and o.store_id = store
          and o.weekday = extract(isodow from local_start)
          and o.opens <= (date_trunc('hour', local_start) + k * interval '15 minutes')::time
          and o.closes > (date_trunc('hour', local_start) + k * interval '15 minutes')::time));
end;

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
grant select on public.store_days to authenticated, app_bi;

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
reset role;

-- Down Migration

set local role app_owner;
drop view public.store_years, public.store_quarters, public.store_months, public.store_weeks,
  public.store_days;
create or replace function app.trading(organization uuid, store uuid, local_start timestamp,
    length_s integer, out slots integer, out trading_s integer)
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
drop table public.store_holidays, public.calendars;
reset role;
