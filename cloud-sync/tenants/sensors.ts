/** What the sensors of a store are for, as the operator says it; which there are, gateways say. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import type { Store } from './stores.ts';

/** What crossing a line means for the store: docs/schema.txt, sensor_metadata.role. */
export const sensor_roles = ['entrance', 'outside', 'outside_passing', 'inside', 'staff'] as const;

export interface Sensor {
  sensor_id: string;
  sensor_type: 'line' | 'zone';
  role: (typeof sensor_roles)[number];
  /** Hours before do not wait for it. */
  counting_from: Date;
  counting_until: Date | null;
}

export function listSensors(
  db: Database,
  organization: Organization,
  store: Store,
): Promise<Sensor[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<Sensor>(
      `select sensor_id, sensor_type, coalesce(role, 'entrance') as role,
         coalesce(counting_from, created_at) as counting_from, counting_until
       from public.sensor_metadata where organization_id = $1 and store_id = $2 order by sensor_id`,
      [organization.id, store.id],
    ),
  );
}

/** Absent means as before. @throws sensor_unknown */
export async function setSensor(
  db: Database,
  organization: Organization,
  store: Store,
  wanted: { sensor: string; role?: string | undefined; from?: Date | undefined },
): Promise<void> {
  const changed = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query(
        `update public.sensor_metadata set role = coalesce($4, role),
           counting_from = coalesce($5, counting_from), updated_at = now()
         where organization_id = $1 and store_id = $2 and sensor_id = $3 returning sensor_id`,
        [organization.id, store.id, wanted.sensor, wanted.role ?? null, wanted.from ?? null],
      ),
  );
  if (changed.length === 0) {
    throw new FootbridgeError('sensor_unknown', `"${wanted.sensor}" in store "${store.code}"`, {
      hint: 'See `footbridge-hq sensor list`; a sensor is known from its first reading on.',
    });
  }
}
