/** Marks hours that nothing arrived for: all of a store's, or those that have just ended. */
import type { Database, Query } from '../db/pool.ts';

/** An hour without a row would look like an hour that nobody asked about; older ones stay so. */
const catch_up_max_days = 90;

/**
 * Marks every hour from a store's first reading to its last, with the hours in between and those
 * that only have results, so that rolling up computes all of them anew from raw.
 *
 * @param store_id all stores of the organization when absent.
 * @returns how many hours are marked.
 */
export function markForRebuild(
  db: Database,
  organization_id: string,
  store_id?: string,
): Promise<number> {
  return db.inTenant({ organization_id }, 'app_rollup', async ({ query }) => {
    const [marked] = await query<{ n: number }>(
      `with known as (
         select s.id, s.timezone, least(
             (select min(p."timestamp") from public.people_counting_raw p
               where p.organization_id = $1 and p.store_id = s.id),
             (select min(p."timestamp") from public.regional_counting_raw p
               where p.organization_id = $1 and p.store_id = s.id),
             (select min(h.start_time) from public.store_hourly h
               where h.organization_id = $1 and h.store_id = s.id)) as first,
           greatest(
             (select max(p."timestamp") from public.people_counting_raw p
               where p.organization_id = $1 and p.store_id = s.id),
             (select max(p."timestamp") from public.regional_counting_raw p
               where p.organization_id = $1 and p.store_id = s.id),
             (select max(h.start_time) from public.store_hourly h
               where h.organization_id = $1 and h.store_id = s.id)) as last
         from public.stores s
         where s.organization_id = $1 and s.id = coalesce($2, s.id)
       ), marked as (${marks('select id, timezone, first, last from known', 'true')} returning 1)
       select count(*)::integer as n from marked`,
      [organization_id, store_id ?? null],
    );
    return marked?.n ?? 0;
  });
}

/**
 * Marks every day that one zone has hours in: what kind of zone it is decides how long visits of the
 * day lasted.
 *
 * @returns how many days are marked.
 */
export function markDaysOfZone(
  db: Database,
  organization_id: string,
  zone: { readonly store_id: string; readonly sensor_id: string; readonly region_id: string },
): Promise<number> {
  return db.inTenant({ organization_id }, 'app_rollup', async ({ query }) => {
    const marked = await query(
      `insert into app.rollup_dirty_days as d (organization_id, store_id, date)
       select distinct $1::uuid, $2::uuid, local_date from public.zone_hourly
       where organization_id = $1 and store_id = $2 and sensor_id = $3 and region_id = $4
       order by local_date
       on conflict (organization_id, store_id, date) do update set n = d.n + 1 returning 1`,
      [organization_id, zone.store_id, zone.sensor_id, zone.region_id],
    );
    return marked.length;
  });
}

export async function organizationsToClose(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_rollup', ({ query }) =>
    query<{ id: string }>('select app.active_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}

/**
 * Marks the hours that ended since the last time, of stores that have a counting line, and the days
 * that ended with them. One caller does it, others find nothing to do.
 *
 * @param now_ms HQ's clock.
 * @returns how many hours were marked.
 */
export function closeHours(db: Database, organization_id: string, now_ms: number): Promise<number> {
  return db.inTenant({ organization_id }, 'app_rollup', async ({ query }) => {
    const from = await advance(query, organization_id, now_ms);
    if (from === undefined) return 0;
    const [marked] = await query<{ n: number }>(
      `with known as (
         select s.id, s.timezone, $2::timestamptz - interval '1 hour' as first,
           to_timestamp($3::float8 / 1000) as last
         from public.stores s
         where s.organization_id = $1 and s.is_active
           and exists (select from public.sensor_metadata m where m.organization_id = $1
             and m.store_id = s.id and m.sensor_type = 'line' and m.counting_until is null)
       ), marked as (
         ${marks('select id, timezone, first, last from known', ended)}
         returning 1)
       select count(*)::integer as n from marked`,
      [organization_id, from, now_ms],
    );
    return marked?.n ?? 0;
  });
}

/** Since the last time: ended by now, and not by then. */
const ended = `mark + interval '1 hour' <= to_timestamp($3::float8 / 1000)
  and mark + interval '1 hour' > $2::timestamptz`;

/** Keys in one order everywhere, as ingest has them. Every hour holds one of its quarters. */
function marks(known: string, only: string): string {
  return `insert into app.rollup_dirty as d (organization_id, store_id, bucket)
    select distinct $1::uuid, k.id, mark
    from (${known}) k
    cross join lateral generate_series(date_trunc('hour', k.first, k.timezone), k.last,
      interval '15 minutes') q
    cross join lateral (select date_trunc('hour', q, k.timezone) as mark) m
    where ${only}
    order by k.id, mark
    on conflict (organization_id, store_id, bucket) do update set n = d.n + 1`;
}

/** Moves the mark of closed hours to now and says where it stood. */
async function advance(
  query: Query,
  organization_id: string,
  now_ms: number,
): Promise<Date | undefined> {
  const [progress] = await query<{ closed_until: Date }>(
    'select closed_until from app.rollup_progress where organization_id = $1 for update',
    [organization_id],
  );
  const hour_ms = 3_600_000;
  const oldest = now_ms - catch_up_max_days * 24 * hour_ms;
  const from = Math.max(oldest, progress?.closed_until.getTime() ?? now_ms - hour_ms);
  if (progress !== undefined && progress.closed_until.getTime() > now_ms - hour_ms / 4) {
    return undefined;
  }
  await query(
    `insert into app.rollup_progress (organization_id, closed_until)
     values ($1, to_timestamp($2::float8 / 1000))
     on conflict (organization_id) do update set closed_until = excluded.closed_until`,
    [organization_id, now_ms],
  );
  return new Date(from);
}
