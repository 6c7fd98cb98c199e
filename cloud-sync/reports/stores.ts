/** The stores that the person asking may see, with the facts that numbers are compared by. */
import type { Database } from '../db/pool.ts';
import type { Person } from './hours.ts';

export interface ReportedStore {
  store: string;
  store_name: string;
  region: string | null;
  timezone: string;
  area_m2: number | null;
  capacity: number | null;
  /** YYYY-MM-DD */
  comparable_since: string | null;
  is_active: boolean;
}

export function storesOf(
  db: Database,
  { user_id, organization_id }: Person,
): Promise<ReportedStore[]> {
  const claims = { sub: user_id, organization_id };
  return db.inTenant({ claims }, 'authenticated', ({ query }) =>
    query<ReportedStore>(
      `select store, store_name, region, timezone, area_m2::float8, capacity,
         comparable_since::text, is_active
       from public.report_stores where organization_id = $1 order by store`,
      [organization_id],
    ),
  );
}
