/** Changes of a store after which its hours are computed anew, from the first reading on. */
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import type { Database } from '../db/pool.ts';
import { markForRebuild } from '../rollups/mark-hours.ts';
import type { Organization } from '../tenants/organizations.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import type { Store } from '../tenants/stores.ts';
import { storeByCode } from '../tenants/stores.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

export interface StoreOptions extends CommonOptions {
  readonly org: string;
  readonly store: string;
}

/** Runs `work` on one store and marks its hours. */
export async function changeStore(
  package_root: string,
  options: StoreOptions,
  work: (db: Database, organization: Organization, store: Store) => Promise<void>,
): Promise<void> {
  const hours = await withDatabase(createContext(package_root, options), async (db) => {
    const organization = await organizationBySlug(db, options.org);
    const store = await storeByCode(db, organization, options.store);
    await work(db, organization, store);
    return markForRebuild(db, organization.id, store.id);
  });
  if (options.json) {
    printJson({ organization: options.org, store: options.store, hours_to_compute: hours });
  } else
    printLine(`Noted for ${options.store} of ${options.org}; ${hours} hours are computed anew.`);
}
