/** Looks at every organization again and again, and keeps its alerts in step with what is so. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';
import type { Sample } from '../metrics.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import type { Seen } from './evaluate-alerts.ts';
import { evaluateAlerts } from './evaluate-alerts.ts';

const idle_ms_max = 2_000;
/** Counts, days and usual traffic are many rows, and nothing of it is urgent within a minute. */
const thorough_every_ms = 60_000;

export function alertWorker(options: {
  db: Database;
  heartbeat_grace_s: number;
  clock: Clock;
  log: Log;
}): Worker & { gauges(): Sample[] } {
  const { db, clock, log, heartbeat_grace_s } = options;
  const watching_since = clock.now();
  let found = countsOf([]);
  let thorough_at = Number.NEGATIVE_INFINITY;
  const watching = worker({
    name: 'alerts',
    idle_ms: Math.min(idle_ms_max, heartbeat_grace_s * 250),
    clock,
    log,
    async pass(signal) {
      const thorough = clock.monotonic() - thorough_at >= thorough_every_ms;
      if (thorough) thorough_at = clock.monotonic();
      const seen: Seen[] = [];
      for (const organization_id of await activeOrganizations(db)) {
        if (signal.aborted) return;
        const at = { organization_id, now: clock.now(), watching_since, heartbeat_grace_s };
        seen.push(await evaluateAlerts(db, { ...at, thorough }));
      }
      found = countsOf(seen);
    },
  });
  return Object.assign(watching, { gauges: () => found });
}

function countsOf(seen: readonly Seen[]): Sample[] {
  const count = (all: readonly string[], one: string) => all.filter((each) => each === one).length;
  const firing = seen.flatMap((one) => one.firing);
  const lines = seen.flatMap((one) => one.lines);
  return [
    ...['critical', 'warning', 'info'].map(
      (severity): Sample => ({
        name: 'hq_alerts_firing',
        labels: { severity },
        value: count(firing, severity),
      }),
    ),
    ...['online', 'late', 'unknown'].map(
      (state): Sample => ({ name: 'hq_gateways', labels: { state }, value: count(lines, state) }),
    ),
  ];
}

async function activeOrganizations(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_health', ({ query }) =>
    query<{ id: string }>('select app.active_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}
