/** The member of an organization in whose name a command asks. */
import type { Database } from '../db/pool.ts';
import type { Person } from '../reports/hours.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { memberByEmail } from '../tenants/users.ts';

/** @throws organization_unknown, user_unknown */
export async function personAsking(
  db: Database,
  asked: { org: string; as: string },
): Promise<Person> {
  const organization = await organizationBySlug(db, asked.org);
  const { user_id } = await memberByEmail(db, organization, asked.as);
  return { user_id, organization_id: organization.id };
}
