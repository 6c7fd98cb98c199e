/**
 * Keys with which programs read reports: `Authorization: Bearer fbk_<prefix>_<secret>`. A key stands
 * for a member and never sees more than that person; HQ keeps its hash.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import { sha256 } from '../gateways/credentials.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import { memberByEmail } from './users.ts';

/** What a key may be used for. */
export const scopes = ['report:read'] as const;
export type KeyScope = (typeof scopes)[number];

export interface ApiKey {
  key_id: string;
  name: string;
  /** The start of the key, to tell keys apart. */
  prefix: string;
  /** The member it stands for. */
  as: string;
  scopes: KeyScope[];
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

/** Whom a request with a key works as. */
export interface KeyIdentity {
  readonly organization_id: string;
  readonly user_id: string;
}

/**
 * The key itself stands in the answer and nowhere else.
 *
 * @throws user_unknown, value_invalid
 */
export async function createApiKey(
  db: Database,
  organization: Organization,
  wanted: { name: string; as: string; expires_at: Date | undefined; now: Date },
): Promise<ApiKey & { key: string }> {
  const { expires_at } = wanted;
  if (expires_at !== undefined && expires_at <= wanted.now) {
    const detail = `--expires ${expires_at.toISOString()} is over already`;
    throw new FootbridgeError('value_invalid', detail);
  }
  const { user_id } = await memberByEmail(db, organization, wanted.as);
  const prefix = randomBytes(4).toString('hex');
  const key = `fbk_${prefix}_${randomBytes(32).toString('base64url')}`;
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
      query(
        `insert into app.api_keys
           (organization_id, user_id, name, prefix, key_hash, scopes, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [organization.id, user_id, wanted.name, prefix, sha256(key), scopes, expires_at ?? null],
      ),
    );
  } catch (error) {
    throw explainRefusal(error, {
      api_keys_name_check: ['value_invalid', '--name: 1 to 255 characters'],
    });
  }
  const made = (await listApiKeys(db, organization)).find((one) => one.prefix === prefix);
  if (made === undefined) throw new Error('the key is not visible');
  return { key, ...made };
}

export function listApiKeys(db: Database, organization: Organization): Promise<ApiKey[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<ApiKey>(
      `select k.id as key_id, k.name, k.prefix, u.email as as, k.scopes, k.created_at, k.expires_at,
         k.revoked_at
       from app.api_keys k join app.users u on u.id = k.user_id
       where k.organization_id = $1 order by k.created_at, k.id`,
      [organization.id],
    ),
  );
}

/** Effective from the key's next request on. @throws key_unknown */
export async function revokeApiKey(
  db: Database,
  organization: Organization,
  key_id: string,
): Promise<{ key_id: string; revoked_at: Date }> {
  const id = z.uuid().safeParse(key_id).data;
  const [revoked] =
    id === undefined
      ? []
      : await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
          query<{ key_id: string; revoked_at: Date }>(
            `update app.api_keys set revoked_at = coalesce(revoked_at, now())
             where organization_id = $1 and id = $2 returning id as key_id, revoked_at`,
            [organization.id, id],
          ),
        );
  if (revoked === undefined) {
    throw new FootbridgeError('key_unknown', `"${key_id}" in "${organization.slug}"`);
  }
  return revoked;
}

const form = /^Bearer (fbk_[0-9a-f]{8}_[\w-]{43})$/;

/** @throws key_missing, key_refused, scope_missing */
export async function authenticateKey(
  db: Database,
  authorization: string | undefined,
  needed: KeyScope,
): Promise<KeyIdentity> {
  const key = form.exec(authorization ?? '')?.[1];
  if (key === undefined) throw new FootbridgeError('key_missing');
  const [found] = await db.inTenant({}, 'app_enroll', ({ query }) =>
    query<KeyIdentity & { scopes: KeyScope[] }>(
      'select organization_id, user_id, scopes from app.find_api_key($1)',
      [sha256(key)],
    ),
  );
  if (found === undefined) throw new FootbridgeError('key_refused');
  if (!found.scopes.includes(needed)) {
    throw new FootbridgeError('scope_missing', `needed: ${needed}`);
  }
  return found;
}
