/** What `doctor` looks at beside the wall: whether there is a backup, and room for connections. */
import type { Finding } from '../../shared/findings/finding.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { judged } from './checks.ts';
import type { Database } from './pool.ts';
import { pool_size } from './pool.ts';
import type { DatabaseServer } from './server.ts';

const hour_ms = 3_600_000;
/** One night may fail. */
const backup_hours_max = 50;

/**
 * A server of the operator's own may be backed up by other means; the embedded one has no others.
 */
export async function checkBackup(
  db: Database,
  server: DatabaseServer,
  clock: Clock,
): Promise<Finding> {
  const [known] = await db.inTenant({}, 'app_rollup', ({ query }) =>
    query<{ last: Date | null; since: Date | null }>(
      `select max(finished_at) filter (where job = 'backup' and outcome = 'done') as last,
         min(started_at) as since from app.job_runs`,
    ),
  );
  const ageOf = (time: Date | null | undefined) =>
    time ? Math.floor((clock.now() - time.getTime()) / hour_ms) : undefined;
  const last_h = ageOf(known?.last);
  if (last_h !== undefined) {
    return judged(
      'backup',
      last_h <= backup_hours_max,
      `the last is ${last_h} hours old`,
      'backup_missing',
    );
  }
  const young = (ageOf(known?.since) ?? 0) <= backup_hours_max;
  return server.kind === 'embedded'
    ? judged('backup', young, young ? 'none yet' : 'there is none', 'backup_missing')
    : judged(
        'backup',
        true,
        'none of ours: make sure that this server has its own',
        'backup_missing',
      );
}

/**
 * `serve` takes a pool of connections, and commands need some beside it. Of the sessions of other
 * logins PostgreSQL hides nearly everything, `backend_type` too, but not who and in which
 * database: what the server runs for itself has no login or no database.
 */
export async function checkConnections(db: Database): Promise<Finding> {
  const [seen] = await db.inTenant({}, 'app_operator', ({ query }) =>
    query<{ used: number; allowed: number }>(
      `select (select count(*) from pg_stat_activity
         where datid is not null and usesysid is not null) as used,
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int as allowed`,
    ),
  );
  const { used = 0, allowed = 0 } = seen ?? {};
  return judged(
    'connections',
    allowed - used >= pool_size,
    `${used} of ${allowed} in use`,
    'connections_short',
  );
}
