/**
 * A job of the calendar: node-cron says when in this process, an advisory lock in the database lets
 * one process of all do it, and its run is recorded. Also run at start, which catches up on what was
 * missed while the service was down.
 */
import type { ScheduledTask } from 'node-cron';
import { schedule } from 'node-cron';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';

/** @param work says in a few words what it did. */
export function calendarJob(options: {
  db: Database;
  log: Log;
  name: string;
  /** When, as cron says it, in UTC. */
  at: string;
  work: () => Promise<string>;
}): Part {
  const { db, log, name } = options;
  const run = async () => {
    const detail = await runJob(db, name, options.work);
    log.info({ job: name, detail }, detail === undefined ? 'another process does it' : 'job done');
  };
  const onTime = () =>
    run().catch((error) => log.error({ job: name, detail: errorText(error) }, 'job failed'));
  let task: ScheduledTask | undefined;
  return {
    name,
    async start() {
      await run();
      task = schedule(options.at, onTime, { timezone: 'UTC', noOverlap: true });
    },
    async stop() {
      await task?.destroy();
    },
  };
}

/**
 * Runs `work` unless another process is at it, and records how it went.
 *
 * @returns what it did; undefined when somebody else does it.
 */
export function runJob(
  db: Database,
  name: string,
  work: () => Promise<string>,
): Promise<string | undefined> {
  // The lock lives in a transaction of its own, so that it also works behind a transaction pooler.
  return db.inTenant({}, 'app_rollup', async ({ query }) => {
    const [lock] = await query<{ taken: boolean }>(
      'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as taken',
      [`footbridge job ${name}`],
    );
    if (lock?.taken !== true) return undefined;
    // This transaction says nothing while the work goes on, however long that takes.
    await query('set local idle_in_transaction_session_timeout = 0');
    const id = await begin(db, name);
    try {
      const detail = await work();
      await finish(db, id, 'done', detail);
      return detail;
    } catch (error) {
      await finish(db, id, 'failed', errorText(error));
      throw error;
    }
  });
}

/** Recorded at once: a run that never ends must be seen too. */
async function begin(db: Database, job: string): Promise<number> {
  const [run] = await db.inTenant({}, 'app_rollup', ({ query }) =>
    query<{ id: number }>('insert into app.job_runs (job) values ($1) returning id', [job]),
  );
  if (run === undefined) throw new Error('nothing was inserted');
  return run.id;
}

async function finish(
  db: Database,
  id: number,
  outcome: 'done' | 'failed',
  detail: string,
): Promise<void> {
  await db.inTenant({}, 'app_rollup', ({ query }) =>
    query('update app.job_runs set finished_at = now(), outcome = $2, detail = $3 where id = $1', [
      id,
      outcome,
      detail.slice(0, 1000),
    ]),
  );
}
