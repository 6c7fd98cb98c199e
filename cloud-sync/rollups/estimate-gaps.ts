/**
 * Estimates for what was not heard: written when a day is folded, beside the counts and never among
 * them; gone when the readings arrive; reverted by whoever does not believe one.
 */
import type { Database, Transaction } from '../db/pool.ts';

export interface GapEstimate {
  sensor_id: string;
  start_time: Date;
  /** YYYY-MM-DD in the store's zone. */
  local_date: string;
  estimated_in: number;
  /** Of the hour, 0 to 1. */
  missing_share: number;
  /** Of how many complete hours of the same weekday, and how today compares with them. */
  median_in: number;
  basis: number;
  scale: number;
  reverted_at: Date | null;
  reverted_reason: string | null;
}

/** Days of one store, both ends included; one sensor of it, or all. */
export interface Gaps {
  readonly store_id: string;
  readonly sensor_id: string | undefined;
  readonly from: string;
  readonly until: string;
}

/** Local dates of stores, side by side. */
export interface StoreDates {
  readonly stores: readonly string[];
  readonly dates: readonly string[];
}

/** Writes the estimates of claimed days, and what hours then say. @param now_ms HQ's clock. */
export async function estimateGaps(
  { query }: Transaction,
  organization_id: string,
  days: StoreDates,
  now_ms: number,
): Promise<void> {
  // Most days have no gap, and looking for one costs more than the fold.
  const [incomplete] = await query<StoreDates>(
    `select coalesce(array_agg(d.store_id), '{}') as stores,
       coalesce(array_agg(d.date::text), '{}') as dates
     from unnest($2::uuid[], $3::date[]) as d (store_id, date)
     where exists (select from public.store_hourly h
         where h.organization_id = $1 and h.store_id = d.store_id and h.local_date = d.date
           and (h.coverage < 0.99 or h.estimated_in is not null or h.status = 'estimated'))
       or exists (select from public.gap_estimates g
         where g.organization_id = $1 and g.store_id = d.store_id and g.local_date = d.date)`,
    [organization_id, days.stores, days.dates],
  );
  if (incomplete === undefined || incomplete.stores.length === 0) return;
  await query(
    `with day as materialized (
       select * from unnest($2::uuid[], $3::date[]) as d (store_id, date)
     ), gap as materialized (
       select * from app.gaps($1, $2, $3, to_timestamp($4::float8 / 1000))
     ), gone as (
       delete from public.gap_estimates o using day d
       where o.organization_id = $1 and o.store_id = d.store_id and o.local_date = d.date
         and (o.store_id, o.start_time, o.sensor_id) not in (
           select store_id, start_time, sensor_id from gap where estimated_in is not null)
     ), written as (
       insert into public.gap_estimates as o (organization_id, store_id, start_time, sensor_id,
         local_date, estimated_in, missing_share, median_in, basis, scale)
       select $1, store_id, start_time, sensor_id, local_date, estimated_in, missing_share,
         median_in, basis, scale
       from gap where estimated_in is not null order by store_id, start_time, sensor_id
       on conflict (organization_id, store_id, start_time, sensor_id) do update set
         local_date = excluded.local_date, estimated_in = excluded.estimated_in,
         missing_share = excluded.missing_share, median_in = excluded.median_in,
         basis = excluded.basis, scale = excluded.scale
       where (o.local_date, o.estimated_in, o.missing_share, o.median_in, o.basis, o.scale)
         is distinct from (excluded.local_date, excluded.estimated_in, excluded.missing_share,
           excluded.median_in, excluded.basis, excluded.scale)
     ), hour as (
       select h.store_id, h.start_time,
         sum(g.estimated_in) filter (where o.reverted_at is null) as estimated_in,
         case when h.trading_s = 0 then 'closed' when h.coverage >= 0.99 then 'complete'
           when bool_and(g.estimated_in is not null and o.reverted_at is null)
             filter (where g.sensor_id is not null) then 'estimated'
           when coalesce(h.coverage, 0) = 0 then 'missing' else 'partial' end as status
       from day d
       join public.store_hourly h on h.organization_id = $1 and h.store_id = d.store_id
         and h.local_date = d.date
       left join gap g on g.store_id = h.store_id and g.start_time = h.start_time
       left join public.gap_estimates o on o.organization_id = $1 and o.store_id = g.store_id
         and o.start_time = g.start_time and o.sensor_id = g.sensor_id
       group by h.store_id, h.start_time, h.trading_s, h.coverage
     )
     update public.store_hourly h
     set estimated_in = w.estimated_in, status = w.status, revised_at = now()
     from hour w
     where h.organization_id = $1 and h.store_id = w.store_id and h.start_time = w.start_time
       and (h.estimated_in, h.status) is distinct from (w.estimated_in, w.status)`,
    [organization_id, incomplete.stores, incomplete.dates, now_ms],
  );
}

export function listEstimates(
  db: Database,
  organization_id: string,
  gaps: Gaps,
): Promise<GapEstimate[]> {
  return db.inTenant({ organization_id }, 'app_operator', ({ query }) =>
    query<GapEstimate>(
      `select sensor_id, start_time, local_date::text, estimated_in,
         missing_share::float8, median_in::float8, basis, scale::float8, reverted_at,
         reverted_reason
       from public.gap_estimates where ${chosen} order by start_time, sensor_id`,
      valuesOf(organization_id, gaps),
    ),
  );
}

/**
 * Takes estimates out of the numbers, or back in, and has their days folded anew.
 *
 * @param reason why they are not believed; undefined takes them back in.
 * @returns how many changed.
 */
export async function revertEstimates(
  db: Database,
  organization_id: string,
  gaps: Gaps,
  reason: string | undefined,
): Promise<number> {
  const values = [...valuesOf(organization_id, gaps), reason ?? null];
  const changed = await db.inTenant({ organization_id }, 'app_operator', ({ query }) =>
    query<{ date: string }>(
      `update public.gap_estimates
       set reverted_at = case when $6::text is null then null else now() end,
         reverted_reason = $6
       where ${chosen} and (reverted_at is null) = ($6::text is not null)
       returning local_date::text as date`,
      values,
    ),
  );
  await db.inTenant({ organization_id }, 'app_rollup', ({ query }) =>
    query(
      `insert into app.rollup_dirty_days as d (organization_id, store_id, date)
       select distinct $1::uuid, $2::uuid, date from unnest($3::date[]) date order by date
       on conflict (organization_id, store_id, date) do update set n = d.n + 1`,
      [organization_id, gaps.store_id, changed.map(({ date }) => date)],
    ),
  );
  return changed.length;
}

const chosen = `organization_id = $1 and store_id = $2 and sensor_id = coalesce($3, sensor_id)
  and local_date between $4 and $5`;

function valuesOf(organization_id: string, gaps: Gaps): unknown[] {
  return [organization_id, gaps.store_id, gaps.sensor_id ?? null, gaps.from, gaps.until];
}
