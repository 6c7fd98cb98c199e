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
