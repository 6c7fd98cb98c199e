/** Organizations, as the operator adds and finds them. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import { explainRefusal } from './refusals.ts';

export interface Organization {
  id: string;
  name: string;
  slug: string;
  created_at: Date;
}

const columns = 'id, name, slug, created_at';

/** @throws already_exists, value_invalid */
export async function addOrganization(
  db: Database,
  wanted: { name: string; slug: string },
): Promise<Organization> {
  try {
    const [organization] = await db.inTenant({}, 'app_operator', ({ query }) =>
      query<Organization>(
        `insert into public.organizations (name, slug) values ($1, $2) returning ${columns}`,
        [wanted.name, wanted.slug],
      ),
    );
    if (organization === undefined) throw new Error('nothing was inserted');
    return organization;
  } catch (error) {
    throw explainRefusal(error, {
      organizations_slug_key: ['already_exists', `the slug "${wanted.slug}" is taken`],
      valid_slug: ['value_invalid', `--slug "${wanted.slug}": use a-z, 0-9 and "-"`],
      organizations_slug_check: ['value_invalid', '--slug: at most 255 characters'],
      organizations_name_check: ['value_invalid', '--name: 1 to 255 characters'],
    });
  }
}

export function listOrganizations(db: Database): Promise<Organization[]> {
  return db.inTenant({}, 'app_operator', ({ query }) =>
    query<Organization>(
      `select ${columns} from public.organizations where deleted_at is null order by slug`,
    ),
  );
}

/** @throws organization_unknown */
export async function organizationBySlug(db: Database, slug: string): Promise<Organization> {
  const [organization] = await db.inTenant({}, 'app_operator', ({ query }) =>
    query<Organization>(
      `select ${columns} from public.organizations where slug = $1 and deleted_at is null`,
      [slug],
    ),
  );
  if (organization === undefined) throw new FootbridgeError('organization_unknown', `"${slug}"`);
  return organization;
}
