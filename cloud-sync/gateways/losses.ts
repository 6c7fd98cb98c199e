/** The ledger: what gateways acknowledged and is no count, by reason. */
import type { Database } from '../db/pool.ts';
import type { Organization } from '../tenants/organizations.ts';
import { storeByCode } from '../tenants/stores.ts';

export interface LossRow {
  /** Code of the store. */
  store: string;
  gateway_id: string;
  /** Source of the gateway's configuration that heard it; `hq` and `disk` are none of them. */
  source: string;
  /**
   * `checksum`, `unknown_topic`, the code with which HQ refused a reading, or `lost_with_image`: on
   * the disk once, and gone since an older image of it was put back.
   */
  reason: string;
  /** The life of the gateway's buffer in which they were counted. */
  epoch: string;
  /** Frames or readings. */
  count: number;
  /** When it last grew, by HQ's clock. */
  updated_at: Date;
}

/** Most first, as gateways told it and as HQ refused it. @throws store_unknown */
export async function listLosses(
  db: Database,
  organization: Organization,
  store_code?: string,
): Promise<LossRow[]> {
  const store =
    store_code === undefined ? undefined : await storeByCode(db, organization, store_code);
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<LossRow>(
      `select s.code as store, l.gateway_id, l.source, l.reason, l.epoch, l.count, l.updated_at
       from app.gateway_losses l
       join public.stores s on s.organization_id = l.organization_id and s.id = l.store_id
       where l.organization_id = $1 and ($2::uuid is null or l.store_id = $2) and l.count > 0
       order by l.count desc, s.code, l.gateway_id, l.source, l.reason, l.updated_at`,
      [organization.id, store?.id ?? null],
    ),
  );
}
