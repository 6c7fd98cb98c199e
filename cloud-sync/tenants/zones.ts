/** Zones that a sensor counts in: their names, kinds and outlines, by the sensor's own zone id. */
import { z } from 'zod';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import type { Store } from './stores.ts';

const corners = 'use 3 to 1000 corners, each two numbers: [[0, 0], [4, 0], [4, 3]]';
const coordinate = z.number(corners);
/** An outline as `app.is_polygon` takes it. */
const polygonSchema = z
  .array(z.tuple([coordinate, coordinate], corners), corners)
  .min(3, corners)
  .max(1000, corners);

const text = (length: number) =>
  z.string().trim().min(1, `1 to ${length} characters`).max(length, `1 to ${length} characters`);

export const zoneSchema = z.object({
  sensor: text(100),
  zone: text(100),
  name: text(255),
  type: text(50).default('general'),
  polygon: polygonSchema.optional(),
});
export type WantedZone = z.infer<typeof zoneSchema>;

export interface Zone {
  sensor: string;
  zone: string;
  name: string;
  type: string;
  polygon: [number, number][] | null;
}

const columns = 'sensor_id as sensor, region_id as zone, name, type, polygon';

/** Adds a zone, or changes the one of this id. @throws value_invalid for an unknown sensor */
export async function setZone(
  db: Database,
  organization: Organization,
  store: Store,
  wanted: WantedZone,
): Promise<Zone> {
  const { sensor, zone, name, type, polygon } = wanted;
  try {
    const [set] = await db.inTenant(
      { organization_id: organization.id },
      'app_operator',
      ({ query }) =>
        query<Zone>(
          `insert into public.region_configurations
             (organization_id, store_id, sensor_id, region_id, name, type, polygon)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict on constraint unique_region do update set name = excluded.name,
             type = excluded.type, polygon = excluded.polygon, updated_at = now()
           returning ${columns}`,
          [
            ...[organization.id, store.id, sensor, zone, name, type],
            polygon === undefined ? null : JSON.stringify(polygon),
          ],
        ),
    );
    if (set === undefined) throw new Error('nothing was inserted');
    return set;
  } catch (error) {
    throw explainRefusal(error, {
      region_configurations_organization_id_store_id_sensor_id_fkey: [
        'value_invalid',
        `--sensor "${sensor}": HQ has heard of no such sensor in "${store.code}"`,
      ],
    });
  }
}

export function listZones(db: Database, organization: Organization, store: Store): Promise<Zone[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<Zone>(
      `select ${columns} from public.region_configurations
       where organization_id = $1 and store_id = $2 order by sensor_id, region_id`,
      [organization.id, store.id],
    ),
  );
}

/** @throws value_invalid when there is none. */
export async function removeZone(
  db: Database,
  organization: Organization,
  store: Store,
  { sensor, zone }: Pick<WantedZone, 'sensor' | 'zone'>,
): Promise<void> {
  const removed = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query(
        `delete from public.region_configurations where organization_id = $1 and store_id = $2
           and sensor_id = $3 and region_id = $4 returning 1`,
        [organization.id, store.id, sensor, zone],
      ),
  );
  if (removed.length === 0) {
    const detail = `--zone "${zone}": "${sensor}" in "${store.code}" has no such zone`;
    throw new FootbridgeError('value_invalid', detail);
  }
}
