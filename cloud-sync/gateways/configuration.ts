/** What HQ wants a gateway's sensors and zones to be called: set by an operator, told by heartbeats. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { ConfigurationReport, DesiredConfiguration } from '../../shared/wire/configuration.ts';
import type { Database, Transaction } from '../db/pool.ts';
import { sqlState } from '../db/pool.ts';
import type { Organization } from '../tenants/organizations.ts';
import type { GatewayIdentity } from './credentials.ts';
import { assertGatewayId } from './registry.ts';

export interface GatewayConfiguration {
  gateway_id: string;
  /** Counts the changes; null: HQ wants nothing of this gateway. */
  version: number | null;
  desired: DesiredConfiguration | null;
  changed_at: Date | null;
  /** What the gateway said that it goes by; null: it has said nothing. */
  applied_version: number | null;
  /** What it could not take, and why. */
  refused: ConfigurationReport['refused'];
}

const foreign_key_violation = '23503';

/** Takes the place of what was wanted before. @throws gateway_unknown */
export async function configureGateway(
  db: Database,
  organization: Organization,
  gateway_id: string,
  desired: DesiredConfiguration,
): Promise<{ gateway_id: string; version: number }> {
  assertGatewayId(gateway_id);
  try {
    const [set] = await db.inTenant(
      { organization_id: organization.id },
      'app_operator',
      ({ query }) =>
        query<{ version: number }>(
          `insert into app.gateway_configurations as c (organization_id, gateway_id, desired)
           values ($1, $2, $3)
           on conflict (organization_id, gateway_id) do update set desired = excluded.desired,
             version = c.version + 1, changed_at = now()
           returning version`,
          [organization.id, gateway_id, JSON.stringify(desired)],
        ),
    );
    if (set === undefined) throw new Error('nothing was inserted');
    return { gateway_id, version: set.version };
  } catch (error) {
    if (sqlState(error) !== foreign_key_violation) throw error;
    throw new FootbridgeError('gateway_unknown', gateway_id);
  }
}

/** @throws gateway_unknown */
export async function configurationOf(
  db: Database,
  organization: Organization,
  gateway_id: string,
): Promise<GatewayConfiguration> {
  assertGatewayId(gateway_id);
  const [found] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<GatewayConfiguration>(
        `select g.id as gateway_id, c.version, c.desired, c.changed_at,
           t.configuration_version as applied_version, t.configuration_refused as refused
         from app.gateways g
         left join app.gateway_configurations c
           on c.organization_id = g.organization_id and c.gateway_id = g.id
         left join app.gateway_state t
           on t.organization_id = g.organization_id and t.gateway_id = g.id
         where g.organization_id = $1 and g.id = $2`,
        [organization.id, gateway_id],
      ),
  );
  if (found === undefined) throw new FootbridgeError('gateway_unknown', gateway_id);
  return found;
}

/** What the gateway has still to take; undefined: nothing. */
export async function configurationFor(
  { query }: Transaction,
  { organization_id, gateway_id }: GatewayIdentity,
  reported: ConfigurationReport | undefined,
): Promise<{ version: number; desired: unknown } | undefined> {
  if (reported === undefined) return undefined;
  const [wanted] = await query<{ version: number; desired: unknown }>(
    `select version, desired from app.gateway_configurations
     where organization_id = $1 and gateway_id = $2 and version <> $3`,
    [organization_id, gateway_id, reported.version],
  );
  return wanted;
}
