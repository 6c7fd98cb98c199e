/**
 * Recomputes dirty hours from raw. Never adds: whatever arrived late, twice or corrected, an hour is
 * what its raw rows say.
 */
import type { Database, Transaction } from '../db/pool.ts';
import type { DirtyHour } from './recompute-hours.ts';
import { hours_of_marks, recomputeHours } from './recompute-hours.ts';
import { recomputeZones } from './recompute-zones.ts';

/** Hours of one claim: a transaction of some milliseconds, so ingest rarely waits for it. */
export const hours_claim_max = 200;

/** Organizations that have hours to recompute. */
export async function dirtyOrganizations(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_rollup', ({ query }) =>
    query<{ id: string }>('select app.dirty_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}

/**
 * Claims dirty hours of one organization and recomputes them. Several workers may do so at once.
 *
 * @param rest_ms leaves hours alone that were marked less than this ago: the next batch of a backlog
 *   marks the hour that the last one ended in, and would wait for the worker that has it.
 * @returns how many hours were recomputed; 0 when none is left or others have them.
 */
export async function rollUp(db: Database, organization_id: string, rest_ms = 0): Promise<number> {
  return db.inTenant({ organization_id }, 'app_rollup', async (tx) => {
    const claimed = await claim(tx, organization_id, rest_ms);
    if (claimed.length === 0) return 0;
    await markDays(tx, organization_id, claimed);
    // Statements of their own, after the claim: their snapshots must be younger than its locks, or a
    // batch that committed while the claim waited would be missed and its mark deleted.
    await recomputeHours(tx, organization_id, claimed);
    await recomputeZones(tx, organization_id, claimed);
    return claimed.length;
  });
}

function claim(
  { query }: Transaction,
  organization_id: string,
  rest_ms: number,
): Promise<DirtyHour[]> {
  return query<DirtyHour>(
    `with claimed as materialized (
       select store_id, bucket from app.rollup_dirty
       where organization_id = $1 and marked_at <= now() - $2 * interval '1 millisecond'
       order by store_id, bucket limit ${hours_claim_max}
       for update skip locked
     )
     delete from app.rollup_dirty d using claimed c
     where d.organization_id = $1 and d.store_id = c.store_id and d.bucket = c.bucket
     returning d.store_id, d.bucket`,
    [organization_id, rest_ms],
  );
}

/**
 * Before any hour is written: a day's mark may be held by a worker that folds the day and wants its
 * hours, so waiting for the mark while holding an hour would be a deadlock. An hour belongs to its
 * local date and, for occupancy, to the business day that the store's reset hour ends; and the gaps
 * of the same weekday in the six weeks after are estimated from it.
 */
async function markDays(
  { query }: Transaction,
  organization_id: string,
  marks: readonly DirtyHour[],
): Promise<void> {
  await query(
    `with ${hours_of_marks}, own as (
       select distinct store_id, local_start::date as date, business_date from hour
     ), day as (
       select store_id, date from own
       union select store_id, business_date from own
       union select o.store_id, o.date + later
       from own o join public.stores s on s.organization_id = $1 and s.id = o.store_id
       cross join generate_series(7, 42, 7) later
       where o.date + later <= (now() at time zone s.timezone)::date
     )
     insert into app.rollup_dirty_days as d (organization_id, store_id, date)
     select $1::uuid, store_id, date from day order by store_id, date
     on conflict (organization_id, store_id, date) do update set n = d.n + 1`,
    [organization_id, marks.map((m) => m.store_id), marks.map((m) => m.bucket)],
  );
}
