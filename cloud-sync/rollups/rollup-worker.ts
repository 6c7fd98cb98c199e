/** Keeps hours and days right: rolls up whatever is dirty, organization by organization. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';
import type { Metrics } from '../metrics.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import { days_claim_max, foldDays, organizationsWithDirtyDays } from './fold-days.ts';
import { dirtyOrganizations, hours_claim_max, rollUp } from './roll-up.ts';

type Done = 'hq_rollup_hourly_recomputed_total' | 'hq_rollup_daily_folded_total';

/** How long an hour marked by another process may wait. */
const idle_ms = 1_000;
/** Longer than the batches of a backlog are apart, too short for a person to notice. */
const rest_ms = 150;

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
      const untilClean = async (metric: Done, claim_max: number, step: () => Promise<number>) => {
        try {
          while (!signal.aborted) {
            const done = await step();
            metrics.add(metric, done);
            // What a backlog marks meanwhile waits for the next pass: claims of a few hours each
            // cost as much again as the hours.
            if (done < claim_max) return;
          }
        } catch (error) {
          failures.push(error);
        }
      };
      const dirty = await dirtyOrganizations(db);
      // What is marked meanwhile wakes the worker for another pass.
      if (dirty.length > 0) await clock.sleep(rest_ms, signal);
      for (const id of dirty) {
        await untilClean('hq_rollup_hourly_recomputed_total', hours_claim_max, () =>
          rollUp(db, id, rest_ms - 10),
        );
      }
      for (const id of await organizationsWithDirtyDays(db)) {
        await untilClean('hq_rollup_daily_folded_total', days_claim_max, () =>
          foldDays(db, id, clock.now()),
        );
      }
      if (failures.length > 0) throw failures[0];
    },
  });
}
