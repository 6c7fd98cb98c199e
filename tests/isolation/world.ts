/**
 * Two organizations that an isolation test can tell apart only by looking closely.
 *
 * Keys start with the organization, so two tenants may hold the same store, gateway and user ids.
 * Here they do: whoever forgets to compare the organization finds the twin.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Query } from '../../cloud-sync/db/pool.ts';
import { roles } from '../../cloud-sync/tenants/users.ts';

/** What a row belongs to; a row is somebody's when all of these are. */
export type Axis = 'organization' | 'store' | 'gateway' | 'user';

export interface World {
  readonly own: Record<Exclude<Axis, 'user'>, string>;
  readonly other: Record<Axis, string>;
  /** In the other store of the own organization. */
  readonly gateway_elsewhere: string;
  /** Regions of the own and of the other store. */
  readonly regions: readonly [string, string];
  /** A user by role in the own organization; each is tenant_admin of the other one as well. */
  readonly users: Readonly<Record<string, string>>;
  /** Nobody's member; member, but put away. */
  readonly stranger: string;
  readonly inactive: string;
  /** Login of a BI tool that stands for the store manager. */
  readonly bi_login: string;
}

export function inventWorld(): World {
  return {
    own: { organization: randomUUID(), store: randomUUID(), gateway: randomUUID() },
    other: {
      organization: randomUUID(),
      store: randomUUID(),
      gateway: randomUUID(),
      user: randomUUID(),
    },
    gateway_elsewhere: randomUUID(),
    regions: [randomUUID(), randomUUID()],
    users: Object.fromEntries(roles.map((role) => [role, randomUUID()])),
    stranger: randomUUID(),
    inactive: randomUUID(),
    bi_login: `bi_${randomBytes(6).toString('hex')}`,
  };
}

/** The rows that decide who may see what. Everything else is filled from the catalogue. */
export async function settle(query: Query, world: World): Promise<void> {
  const { own, other, users } = world;
  const organizations = [own.organization, other.organization];
  const members = [...Object.values(users), other.user];
  for (const id of organizations) {
    await query('insert into organizations (id, name, slug) values ($1, $2, $3)', [id, id, id]);
    for (const [i, store] of [own.store, other.store].entries()) {
      const region = world.regions[i];
      await query('insert into regions (organization_id, id, code, name) values ($1, $2, $3, $3)', [
        id,
        region,
        region,
      ]);
      await query(
        `insert into stores (organization_id, id, name, code, timezone, region_id)
         values ($1, $2, $3, $3, 'Europe/Madrid', $4)`,
        [id, store, store, region],
      );
    }
    const gateways = [
      [own.gateway, own.store],
      [other.gateway, own.store],
      [world.gateway_elsewhere, other.store],
    ];
    for (const [gateway, store] of gateways) {
      await query(
        `insert into app.gateways (organization_id, id, store_id, name, version)
         values ($1, $2, $3, 'pc', '1')`,
        [id, gateway, store],
      );
    }
  }
  for (const user of [...members, world.stranger, world.inactive]) {
    await query('insert into app.users (id, email, is_active) values ($1, $2, $3)', [
      user,
      `${user}@example.org`,
      user !== world.inactive,
    ]);
  }
  const join = async (organization: string, user: string, role: string, store?: string) => {
    await query(
      'insert into app.memberships (organization_id, user_id, role) values ($1, $2, $3)',
      [organization, user, role],
    );
    if (store === undefined) return;
    await query(
      'insert into app.membership_stores (organization_id, user_id, store_id) values ($1, $2, $3)',
      [organization, user, store],
    );
  };
  const assign = (organization: string, user: string, region: string) =>
    query(
      'insert into app.membership_regions (organization_id, user_id, region_id) values ($1, $2, $3)',
      [organization, user, region],
    );
  for (const [role, user] of Object.entries(users)) {
    // A regional manager has a region and no store; regions of anybody else mean nothing.
    const regional = role === 'regional_manager';
    await join(own.organization, user, role, regional ? undefined : own.store);
    await assign(own.organization, user, world.regions[regional ? 0 : 1]);
    await assign(other.organization, user, world.regions[1]);
    await join(other.organization, user, 'tenant_admin', other.store);
  }
  await join(own.organization, other.user, 'store_manager', other.store);
  await assign(own.organization, other.user, world.regions[0]);
  await join(own.organization, world.inactive, 'tenant_admin', own.store);
  await query(
    `insert into app.bi_logins (organization_id, login, user_id, name) values ($1, $2, $3, 'BI')`,
    [own.organization, world.bi_login, users['store_manager']],
  );
}
