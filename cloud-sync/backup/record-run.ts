/** Leaves word of a backup in the database, where `doctor` looks for it. */
import type { Database } from '../db/pool.ts';

export async function recordRun(db: Database, started_at: Date, detail: string): Promise<void> {
  await db.inTenant({}, 'app_rollup', async ({ query }) => {
    const [run] = await query<{ id: number }>(
      "insert into app.job_runs (job, started_at) values ('backup', $1) returning id",
      [started_at],
    );
    await query(
      "update app.job_runs set finished_at = now(), outcome = 'done', detail = $2 where id = $1",
      [run?.id, detail.slice(0, 1000)],
    );
  });
}
