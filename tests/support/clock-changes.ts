/** Every change of every zone's clock from 2000 to 2037, as PostgreSQL's own zone data has them. */
import type { TestDatabase } from './postgres.ts';

/**
 * Fills the table `clock_changes (zone, at)`. Zones that are alike in every week stand in it once.
 * Changes that undo each other within a week are too close for this search; no zone has any.
 */
export async function findClockChanges(hq: TestDatabase): Promise<void> {
  await hq.asOwner(`
    create function utc_offset(at timestamptz, zone text) returns interval
      language sql stable as $$ select (at at time zone zone) - (at at time zone 'UTC') $$;
    create table clock_changes as
    with week as materialized (
      select name, w, utc_offset(w, name) as before
      from pg_timezone_names, generate_series('2000-01-01Z'::timestamptz, '2037-12-31Z', '7 days') w
      where app.is_timezone(name)
    ), alike as (
      select min(name) as name from (
        select name, md5(string_agg(before::text, ',' order by w)) as life from week group by name
      ) z group by life
    ), changed as (
      select name, w, before, lead(before) over (partition by name order by w) as after
      from week where name in (select name from alike)
    )
    select c.name as zone, m.at, c.before, c.after
    from changed c cross join lateral (
      select h from generate_series(w, w + interval '7 days', '1 hour') h
      where utc_offset(h, c.name) <> c.before order by h limit 1
    ) hour cross join lateral (
      select at from generate_series(hour.h - interval '1 hour', hour.h, '1 minute') at
      where utc_offset(at, c.name) <> c.before order by at limit 1
    ) m
    where c.before <> c.after`);
}

/** One partition for all those years, instead of one a month. */
export async function onePartitionForAllYears(hq: TestDatabase): Promise<void> {
  await hq.asOwner(`
    do $$ declare part record; begin
      for part in select c.oid::regclass as name from pg_inherits i join pg_class c on c.oid = inhrelid
        where inhparent = 'public.people_counting_raw'::regclass loop
        execute format('alter table public.people_counting_raw detach partition %s', part.name);
      end loop;
    end $$;
    create table parts.all_years partition of public.people_counting_raw
      for values from ('1999-01-01') to ('2039-01-01');`);
}

/** Stores whose hours or days do not sum up to their readings, or that lack an hour or a day. */
export function wrongSums(hq: TestDatabase, store_id?: string): Promise<unknown[]> {
  return hq.asOwner(
    `select s.timezone, raw.*, hours.*, stored.*, days.*
     from stores s cross join lateral (
       select sum(in_count) as raw_in, count(*) as readings,
         count(distinct ("timestamp" at time zone s.timezone)::date) as dates,
         count(distinct date_trunc('hour', "timestamp" at time zone s.timezone)::text
           || utc_offset("timestamp", s.timezone)) as labels
       from people_counting_raw where organization_id = s.organization_id and store_id = s.id
     ) raw cross join lateral (
       select sum(total_in) as sensor_in, sum(readings) as counted, count(*) as hours
       from hourly_analytics where organization_id = s.organization_id and store_id = s.id
     ) hours cross join lateral (
       select sum(total_in) as hour_in from store_hourly where organization_id = s.organization_id and store_id = s.id
     ) stored cross join lateral (
       select sum(total_in) as day_in, count(*) as days from daily_analytics where organization_id = s.organization_id and store_id = s.id
     ) days
     where s.id = coalesce($1, s.id) and raw_in is not null
       and ((raw_in, raw_in, raw_in, readings, labels, dates)
         is distinct from (sensor_in, hour_in, day_in, counted, hours, days))`,
    [store_id ?? null],
  );
}
