/** Gateways as HQ administers them: invite, list, revoke. */
import { randomBytes } from 'node:crypto';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from '../tenants/organizations.ts';
import { storeByCode } from '../tenants/stores.ts';
import { sha256 } from './credentials.ts';

/** A day: an installer's visit, not a password lying around. */
const invitation_valid_h = 24;

export interface Invitation {
  organization: string;
  store: string;
  /** Shown once; HQ keeps only its hash. */
  token: string;
  expires_at: string;
}

/** Makes a single-use token for a gateway of this store. @throws store_unknown */
export async function inviteGateway(
  db: Database,
  organization: Organization,
  store_code: string,
  now_ms: number,
): Promise<Invitation> {
  const store = await storeByCode(db, organization, store_code);
  const token = `fbt_${randomBytes(32).toString('base64url')}`;
  const expires_at = new Date(now_ms + invitation_valid_h * 3_600_000).toISOString();
  await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query(
      `insert into app.enroll_tokens (organization_id, store_id, token_hash, expires_at)
       values ($1, $2, $3, $4)`,
      [organization.id, store.id, sha256(token), expires_at],
    ),
  );
  return { organization: organization.slug, store: store.code, token, expires_at };
}

export interface GatewayRow {
  gateway_id: string;
  store: string;
  name: string;
  version: string;
  enrolled_at: Date;
  revoked_at: Date | null;
  /** By HQ's clock; null before the first. */
  heartbeat_at: Date | null;
  /** Readings the gateway holds that HQ has not settled. */
  buffered: number | null;
  oldest_unsent_at: Date | null;
  delivered_at: Date | null;
  durability: string | null;
  /** Frames and readings in its quarantine, all reasons. */
  quarantined: number;
  /** Version of the names that HQ wants; null: none. */
  configuration_wanted: number | null;
  /** Version that the gateway goes by; null: it has not said. */
  configuration_applied: number | null;
  /** Why it could not take the one that is wanted, or null. */
  configuration_fault: string | null;
}

export async function listGateways(
  db: Database,
  organization: Organization,
  store_code?: string,
): Promise<GatewayRow[]> {
  const store =
    store_code === undefined ? undefined : await storeByCode(db, organization, store_code);
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<GatewayRow>(
      `select g.id as gateway_id, s.code as store, g.name, g.version, g.enrolled_at, g.revoked_at,
         t.heartbeat_at, t.buffered, t.oldest_unsent_at, t.delivered_at, t.durability,
         coalesce((select sum(l.count) from app.gateway_losses l
           where l.organization_id = g.organization_id and l.gateway_id = g.id), 0)::bigint
           as quarantined,
         c.version as configuration_wanted, t.configuration_version as configuration_applied,
         t.configuration_refused ->> 'detail' as configuration_fault
       from app.gateways g
       join public.stores s on s.organization_id = g.organization_id and s.id = g.store_id
       left join app.gateway_state t
         on t.organization_id = g.organization_id and t.gateway_id = g.id
       left join app.gateway_configurations c
         on c.organization_id = g.organization_id and c.gateway_id = g.id
       where g.organization_id = $1 and ($2::uuid is null or g.store_id = $2)
       order by s.code, g.enrolled_at`,
      [organization.id, store?.id ?? null],
    ),
  );
}

/** Ends every credential of the gateway; its next request is refused. @throws gateway_unknown */
export async function revokeGateway(
  db: Database,
  organization: Organization,
  gateway_id: string,
): Promise<{ gateway_id: string; revoked_at: Date }> {
  assertGatewayId(gateway_id);
  return db.inTenant({ organization_id: organization.id }, 'app_operator', async ({ query }) => {
    const [gateway] = await query<{ revoked_at: Date }>(
      `update app.gateways set revoked_at = coalesce(revoked_at, now())
       where organization_id = $1 and id = $2 returning revoked_at`,
      [organization.id, gateway_id],
    );
    if (gateway === undefined) throw new FootbridgeError('gateway_unknown', gateway_id);
    await query(
      `update app.gateway_credentials set revoked_at = coalesce(revoked_at, now())
       where organization_id = $1 and gateway_id = $2`,
      [organization.id, gateway_id],
    );
    return { gateway_id, revoked_at: gateway.revoked_at };
  });
}

/** @throws gateway_unknown for what PostgreSQL would not take for an id. */
export function assertGatewayId(gateway_id: string): void {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(gateway_id)) return;
  throw new FootbridgeError('gateway_unknown', `"${gateway_id}" is not an id`);
}
