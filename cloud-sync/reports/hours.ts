/** Hours of a store, as the person asking: row security decides, this only names columns. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database, Query } from '../db/pool.ts';

export interface Person {
  readonly user_id: string;
  readonly organization_id: string;
}

/** One sensor in one hour of the store's own time. */
export interface StoreHour {
  sensor_id: string;
  /** The instant at which the local hour starts. */
  start_time: Date;
  end_time: Date;
  /** YYYY-MM-DD in the store's zone. */
  local_date: string;
  local_hour: number;
  utc_offset_min: number;
  total_in: number;
  total_out: number;
  covered_s: number;
  readings: number;
  revised_at: Date;
}

export interface StoreHours {
  store: string;
  name: string;
  timezone: string;
  hours: StoreHour[];
}

/** Of which hours: those that start in [from, to); either side may be open. */
export interface Window {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/**
 * Asks about one store as this person.
 *
 * @throws store_unknown also for a store that the person may not see: there is no difference.
 */
export async function askAbout<T extends object>(
  db: Database,
  { user_id, organization_id }: Person,
  store_code: string,
  ask: (query: Query, store_id: string) => Promise<T>,
): Promise<{ store: string; name: string; timezone: string } & T> {
  const claims = { sub: user_id, organization_id };
  return db.inTenant({ claims }, 'authenticated', async ({ query }) => {
    const [store] = await query<{ id: string; name: string; timezone: string }>(
      'select id, name, timezone from public.stores where organization_id = $1 and code = $2',
      [organization_id, store_code],
    );
    if (store === undefined) throw new FootbridgeError('store_unknown', `"${store_code}"`);
    const answer = await ask(query, store.id);
    return { store: store_code, name: store.name, timezone: store.timezone, ...answer };
  });
}

/** @throws store_unknown */
export function hoursOf(
  db: Database,
  person: Person,
  store_code: string,
  window: Window,
): Promise<StoreHours> {
  return askAbout(db, person, store_code, async (query, store_id) => ({
    hours: await query<StoreHour>(
      `select sensor_id, start_time, end_time, local_date::text, local_hour, utc_offset_min,
         total_in, total_out, covered_s, readings, revised_at
       from public.hourly_analytics_live
       where organization_id = $1 and store_id = $2
         and start_time >= coalesce($3::timestamptz, '-infinity')
         and start_time < coalesce($4::timestamptz, 'infinity')
       order by start_time, sensor_id`,
      [person.organization_id, store_id, window.from ?? null, window.to ?? null],
    ),
  }));
}
