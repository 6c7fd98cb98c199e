/** A gateway's new key: asked for by an operator, made by the gateway, taken into use by its use. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { RotateAnswer, RotateRequest } from '../../shared/wire/credential.ts';
import type { Database, Transaction } from '../db/pool.ts';
import type { Organization } from '../tenants/organizations.ts';
import type { GatewayIdentity } from './credentials.ts';
import { assertNotRevoked, scopeOf } from './credentials.ts';
import { assertGatewayId } from './registry.ts';

/** Asks the gateway for a new key with its next heartbeat. @throws gateway_unknown */
export async function requestRotation(
  db: Database,
  organization: Organization,
  gateway_id: string,
): Promise<{ gateway_id: string; rotation_requested_at: Date }> {
  assertGatewayId(gateway_id);
  const [asked] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<{ rotation_requested_at: Date }>(
        `update app.gateways set rotation_requested_at = now()
         where organization_id = $1 and id = $2 and revoked_at is null
         returning rotation_requested_at`,
        [organization.id, gateway_id],
      ),
  );
  if (asked === undefined) throw new FootbridgeError('gateway_unknown', gateway_id);
  return { gateway_id, ...asked };
}

/** Whether an operator wants a key that is younger than the one shown. */
export async function isRotationDue(
  { query }: Transaction,
  { organization_id, gateway_id, credential_id }: GatewayIdentity,
): Promise<boolean> {
  const due = await query(
    `select from app.gateways g
     join app.gateway_credentials c on c.organization_id = g.organization_id and c.id = $3
     where g.organization_id = $1 and g.id = $2 and g.rotation_requested_at > c.created_at`,
    [organization_id, gateway_id, credential_id],
  );
  return due.length > 0;
}

/** Adds the key; the same hash again gives the same credential. @throws credential_refused */
export async function addCredential(
  db: Database,
  gateway: GatewayIdentity,
  request: RotateRequest,
): Promise<RotateAnswer> {
  const { organization_id, gateway_id } = gateway;
  const hash = Buffer.from(request.secret_hash, 'hex');
  return db.inTenant(scopeOf(gateway), 'app_ingest', async (tx) => {
    await assertNotRevoked(tx, gateway);
    const [known] = await tx.query<{ id: string }>(
      `select id from app.gateway_credentials
       where organization_id = $1 and gateway_id = $2 and secret_hash = $3 and revoked_at is null`,
      [organization_id, gateway_id, hash],
    );
    if (known !== undefined) return { credential_id: known.id };
    const [made] = await tx.query<{ id: string }>(
      `insert into app.gateway_credentials (organization_id, gateway_id, secret_hash)
       values ($1, $2, $3) returning id`,
      [organization_id, gateway_id, hash],
    );
    if (made === undefined) throw new Error('the credential was not written');
    return { credential_id: made.id };
  });
}

/** The key shown is in use: older ones end. So at most two live, and no moment has none. */
export async function endOlderCredentials(
  { query }: Transaction,
  { organization_id, gateway_id, credential_id }: GatewayIdentity,
): Promise<void> {
  await query(
    `update app.gateway_credentials c set revoked_at = now()
     where c.organization_id = $1 and c.gateway_id = $2 and c.revoked_at is null
       and c.created_at < (select mine.created_at from app.gateway_credentials mine
         where mine.organization_id = $1 and mine.id = $3)`,
    [organization_id, gateway_id, credential_id],
  );
}
