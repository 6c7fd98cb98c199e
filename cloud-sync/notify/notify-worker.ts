/** Tells people of alerts: makes the messages that are due, and delivers what waits. */
import type { Database } from '../db/pool.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import type { Delivery } from './deliver.ts';
import { deliverWaiting } from './deliver.ts';
import { makeNotifications } from './planning.ts';

const idle_ms = 5_000;

export function notifyWorker(on: Delivery): Worker {
  const { db, clock, log } = on;
  return worker({
    name: 'notifications',
    idle_ms,
    clock,
    log,
    async pass(signal) {
      for (const organization_id of await organizations(db)) {
        if (signal.aborted) return;
        await makeNotifications(db, organization_id, clock.now());
        await deliverWaiting(on, organization_id);
      }
    },
  });
}

async function organizations(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_notify', ({ query }) =>
    query<{ id: string }>('select app.active_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}
