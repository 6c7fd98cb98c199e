/** Keeps hours and days right: rolls up whatever is dirty, organization by organization. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';
import type { Metrics } from '../metrics.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import { foldDays, organizationsWithDirtyDays } from './fold-days.ts';
import { dirtyOrganizations, rollUp } from './roll-up.ts';

/** How long an hour marked by another process may wait. */
const idle_ms = 1_000;

export function rollupWorker(options: {
  db: Database;
  metrics: Metrics;
  clock: Clock;
  log: Log;
}): Worker {
  const { db, metrics, clock } = options;
  return worker({
    name: 'rollups',
    idle_ms,
    clock,
    log: options.log,
    async pass(signal) {
      for (const organization_id of await dirtyOrganizations(db)) {
        for (;;) {
          const hours = await rollUp(db, organization_id);
          metrics.add('hq_rollup_hours_recomputed_total', hours);
          if (hours === 0 || signal.aborted) break;
        }
        if (signal.aborted) return;
      }
      for (const organization_id of await organizationsWithDirtyDays(db)) {
        for (;;) {
          const days = await foldDays(db, organization_id, clock.now());
          metrics.add('hq_rollup_days_folded_total', days);
          if (days === 0 || signal.aborted) break;
        }
        if (signal.aborted) return;
      }
    },
  });
}
