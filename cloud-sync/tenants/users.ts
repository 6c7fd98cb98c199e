/** People and what they may see: a membership in an organization, with stores and regions. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import type { Region } from './regions.ts';
import { regionByCode } from './regions.ts';
import type { Store } from './stores.ts';
import { storeByCode } from './stores.ts';

/** The seed's six roles. tenant_admin and analyst see every store, the others those assigned. */
export const roles = [
  'tenant_admin',
  'regional_manager',
  'store_manager',
  'analyst',
  'store_staff',
  'viewer',
] as const;
export type UserRole = (typeof roles)[number];

export interface Member {
  user_id: string;
  email: string;
  organization: string;
  role: UserRole;
  /** Codes of the stores assigned. */
  stores: string[];
  /** Codes of the regions assigned. */
  regions: string[];
}

/**
 * Gives a person a role in the organization; somebody known already keeps their user_id, and role
 * and stores become the ones given.
 *
 * @throws value_invalid, store_unknown, region_unknown
 */
export async function addUser(
  db: Database,
  organization: Organization,
  wanted: {
    email: string;
    role: string;
    stores: readonly string[];
    regions?: readonly string[];
  },
): Promise<Member> {
  const email = wanted.email.trim();
  const role = roles.find((known) => known === wanted.role);
  if (role === undefined) {
    const detail = `--role "${wanted.role}": use one of ${roles.join(', ')}`;
    throw new FootbridgeError('value_invalid', detail);
  }
  const stores: Store[] = [];
  for (const code of new Set(wanted.stores)) stores.push(await storeByCode(db, organization, code));
  const regions: Region[] = [];
  for (const code of new Set(wanted.regions ?? [])) {
    regions.push(await regionByCode(db, organization, code));
  }
  if (regions.length > 0 && role !== 'regional_manager') {
    throw new FootbridgeError('value_invalid', `--region: a ${role} is given stores, not regions`);
  }

  const scope = { organization_id: organization.id };
  const user_id = await db
    .inTenant(scope, 'app_operator', async ({ query }) => {
      await query(
        'insert into app.users (email) values ($1) on conflict (lower(email)) do nothing',
        [email],
      );
      const [user] = await query<{ id: string }>(
        'select id from app.users where lower(email) = lower($1)',
        [email],
      );
      if (user === undefined) throw new Error('the user is not visible');
      await query(
        `insert into app.memberships (organization_id, user_id, role) values ($1, $2, $3)
         on conflict (organization_id, user_id) do update set role = excluded.role`,
        [organization.id, user.id, role],
      );
      await query('delete from app.membership_stores where organization_id = $1 and user_id = $2', [
        organization.id,
        user.id,
      ]);
      await query(
        `insert into app.membership_stores (organization_id, user_id, store_id)
         select $1, $2, unnest($3::uuid[])`,
        [organization.id, user.id, stores.map(({ id }) => id)],
      );
      await query(
        'delete from app.membership_regions where organization_id = $1 and user_id = $2',
        [organization.id, user.id],
      );
      await query(
        `insert into app.membership_regions (organization_id, user_id, region_id)
         select $1, $2, unnest($3::uuid[])`,
        [organization.id, user.id, regions.map(({ id }) => id)],
      );
      return user.id;
    })
    .catch((error) => {
      throw explainRefusal(error, {
        users_email_check: ['value_invalid', `--email "${wanted.email}" is not an address`],
      });
    });
  return {
    user_id,
    email,
    organization: organization.slug,
    role,
    stores: stores.map(({ code }) => code),
    regions: regions.map(({ code }) => code),
  };
}

/** The user behind an address, if a member of this organization. @throws user_unknown */
export async function memberByEmail(
  db: Database,
  organization: Organization,
  email: string,
): Promise<{ user_id: string }> {
  const [user] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<{ user_id: string }>(
        `select m.user_id from app.memberships m join app.users u on u.id = m.user_id
         where m.organization_id = $1 and lower(u.email) = lower($2)`,
        [organization.id, email],
      ),
  );
  if (user === undefined) {
    throw new FootbridgeError('user_unknown', `"${email}" in "${organization.slug}"`);
  }
  return user;
}
