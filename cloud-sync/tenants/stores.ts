/** Stores of an organization, as the operator adds and finds them. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';

export interface Store {
  id: string;
  code: string;
  name: string;
  timezone: string;
  created_at: Date;
}

const columns = 'id, code, name, timezone, created_at';

/** @throws already_exists, timezone_unknown, value_invalid */
export async function addStore(
  db: Database,
  organization: Organization,
  wanted: { code: string; name: string; timezone: string },
): Promise<Store> {
  try {
    const [store] = await db.inTenant(
      { organization_id: organization.id },
      'app_operator',
      ({ query }) =>
        query<Store>(
          `insert into public.stores (organization_id, code, name, timezone)
           values ($1, $2, $3, $4) returning ${columns}`,
          [organization.id, wanted.code, wanted.name, wanted.timezone],
        ),
    );
    if (store === undefined) throw new Error('nothing was inserted');
    return store;
  } catch (error) {
    throw explainRefusal(error, {
      unique_store_code: ['already_exists', `store "${wanted.code}" of "${organization.slug}"`],
      valid_timezone: ['timezone_unknown', `--timezone "${wanted.timezone}"`],
      stores_code_check: [
        'value_invalid',
        `--code "${wanted.code}": 1 to 50 letters, digits, ".", "_", "-"`,
      ],
      stores_name_check: ['value_invalid', '--name: 1 to 255 characters'],
    });
  }
}

export function listStores(db: Database, organization: Organization): Promise<Store[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<Store>(`select ${columns} from public.stores where organization_id = $1 order by code`, [
      organization.id,
    ]),
  );
}

/** @throws store_unknown */
export async function storeByCode(
  db: Database,
  organization: Organization,
  code: string,
): Promise<Store> {
  const [store] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<Store>(
        `select ${columns} from public.stores where organization_id = $1 and code = $2`,
        [organization.id, code],
      ),
  );
  if (store === undefined) {
    throw new FootbridgeError('store_unknown', `"${code}" in "${organization.slug}"`);
  }
  return store;
}

/** @param hour of the store's own clock at which nobody is inside, 0 to 23. */
export async function setResetHour(
  db: Database,
  organization: Organization,
  store: Store,
  hour: number,
): Promise<void> {
  await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query(
      `update public.stores set occupancy_reset_hour = $3, updated_at = now()
       where organization_id = $1 and id = $2`,
      [organization.id, store.id, hour],
    ),
  );
}
