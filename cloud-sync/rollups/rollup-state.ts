/** How far rollups are: what waits, and what the jobs of the calendar did last. */
import type { Database } from '../db/pool.ts';

export interface RollupState {
  dirty_hours: number;
  dirty_days: number;
  /** When the oldest waiting hour was marked; null when none waits. */
  oldest_mark_at: Date | null;
  /** Up to where hours without readings have their rows; null before the first time. */
  closed_until: Date | null;
}

export interface JobRun {
  job: string;
  started_at: Date;
  finished_at: Date | null;
  outcome: 'done' | 'failed' | null;
  detail: string | null;
}

export async function rollupState(db: Database, organization_id: string): Promise<RollupState> {
  const [state] = await db.inTenant({ organization_id }, 'app_rollup', ({ query }) =>
    query<RollupState>(
      `select
         (select count(*)::integer from app.rollup_dirty where organization_id = $1) as dirty_hours,
         (select count(*)::integer from app.rollup_dirty_days where organization_id = $1)
           as dirty_days,
         (select min(marked_at) from app.rollup_dirty where organization_id = $1)
           as oldest_mark_at,
         (select closed_until from app.rollup_progress where organization_id = $1)
           as closed_until`,
      [organization_id],
    ),
  );
  if (state === undefined) throw new Error('nothing was selected');
  return state;
}

/** The last run of each job, the one in progress first. */
export function lastRuns(db: Database): Promise<JobRun[]> {
  return db.inTenant({}, 'app_rollup', ({ query }) =>
    query<JobRun>(
      `select distinct on (job) job, started_at, finished_at, outcome, detail
       from app.job_runs order by job, started_at desc`,
    ),
  );
}
