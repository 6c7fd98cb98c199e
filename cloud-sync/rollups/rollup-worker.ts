/** Keeps hours and days right: rolls up whatever is dirty, organization by organization. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';
import type { Metrics } from '../metrics.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import { foldDays, organizationsWithDirtyDays } from './fold-days.ts';
import { dirtyOrganizations, rollUp } from './roll-up.ts';

type Done = 'hq_rollup_hourly_recomputed_total' | 'hq_rollup_daily_folded_total';

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
      const failures: unknown[] = [];
      /** One tenant's data must not stop the hours of the others: its failure waits till the end. */
      const untilClean = async (metric: Done, step: () => Promise<number>) => {
        try {
          while (!signal.aborted) {
            const done = await step();
            metrics.add(metric, done);
            if (done === 0) return;
          }
        } catch (error) {
          failures.push(error);
        }
      };
      for (const id of await dirtyOrganizations(db)) {
        await untilClean('hq_rollup_hourly_recomputed_total', () => rollUp(db, id));
      }
      for (const id of await organizationsWithDirtyDays(db)) {
        await untilClean('hq_rollup_daily_folded_total', () => foldDays(db, id, clock.now()));
      }
      if (failures.length > 0) throw failures[0];
    },
  });
}
