/** Rollups run to the end, as the worker does. */
import type { Database } from '../../cloud-sync/db/pool.ts';
import { foldDays, organizationsWithDirtyDays } from '../../cloud-sync/rollups/fold-days.ts';
import { dirtyOrganizations, rollUp } from '../../cloud-sync/rollups/roll-up.ts';

export async function rollEverything(db: Database, now_ms = Date.now()): Promise<void> {
  for (const id of await dirtyOrganizations(db)) while ((await rollUp(db, id)) > 0);
  for (const id of await organizationsWithDirtyDays(db)) {
    while ((await foldDays(db, id, now_ms)) > 0);
  }
}
