/** Regions: groups of stores that a regional manager is given as one. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import type { Store } from './stores.ts';
import { storeByCode } from './stores.ts';

export interface Region {
  id: string;
  code: string;
  name: string;
  /** Codes of its stores. */
  stores: string[];
}

/**
 * Adds a region, or renames the one of this code, and moves stores into it.
 *
 * @throws store_unknown, value_invalid
 */
export async function addRegion(
  db: Database,
  organization: Organization,
  wanted: { code: string; name: string; stores: readonly string[] },
): Promise<Region> {
  const stores: Store[] = [];
  for (const code of new Set(wanted.stores)) stores.push(await storeByCode(db, organization, code));
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', async ({ query }) => {
      const [region] = await query<{ id: string }>(
        `insert into public.regions (organization_id, code, name) values ($1, $2, $3)
         on conflict (organization_id, code) do update
           set name = excluded.name, updated_at = now() returning id`,
        [organization.id, wanted.code, wanted.name],
      );
      await query(
        `update public.stores set region_id = $2, updated_at = now()
         where organization_id = $1 and id = any ($3::uuid[])`,
        [organization.id, region?.id, stores.map(({ id }) => id)],
      );
    });
  } catch (error) {
    throw explainRefusal(error, {
      regions_code_check: [
        'value_invalid',
        `--code "${wanted.code}": 1 to 50 letters, digits, ".", "_", "-"`,
      ],
      regions_name_check: ['value_invalid', '--name: 1 to 255 characters'],
    });
  }
  return regionByCode(db, organization, wanted.code);
}

export function listRegions(db: Database, organization: Organization): Promise<Region[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<Region>(
      `select r.id, r.code, r.name, array(select s.code from public.stores s
         where s.organization_id = r.organization_id and s.region_id = r.id order by s.code) as stores
       from public.regions r where r.organization_id = $1 order by r.code`,
      [organization.id],
    ),
  );
}

/** @throws region_unknown */
export async function regionByCode(
  db: Database,
  organization: Organization,
  code: string,
): Promise<Region> {
  const region = (await listRegions(db, organization)).find((one) => one.code === code);
  if (region === undefined) {
    throw new FootbridgeError('region_unknown', `"${code}" in "${organization.slug}"`);
  }
  return region;
}
