/**
 * Logins with which BI tools query the report views: database roles of their own, read-only, each
 * standing for a member. Who they are is the login itself, which no setting can change.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import { runOnce } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import { memberByEmail } from './users.ts';

export interface BiLogin {
  login: string;
  name: string;
  /** The member it stands for. */
  as: string;
  created_at: Date;
  revoked_at: Date | null;
}

const connections_max = 5;
const scram_iterations = 4096;

/**
 * The password stands in the answer and nowhere else, not in the server's log either.
 *
 * @param owner_url a login that may create roles.
 * @throws user_unknown, value_invalid
 */
export async function addBiLogin(
  db: Database,
  owner_url: string,
  organization: Organization,
  wanted: { name: string; as: string },
): Promise<BiLogin & { password: string }> {
  const { user_id } = await memberByEmail(db, organization, wanted.as);
  const login = `bi_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  await db
    .inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
      query(
        `insert into app.bi_logins (organization_id, login, user_id, name)
         values ($1, $2, $3, $4)`,
        [organization.id, login, user_id, wanted.name],
      ),
    )
    .catch((error) => {
      throw explainRefusal(error, {
        bi_logins_name_check: ['value_invalid', '--name: 1 to 255 characters'],
      });
    });
  await createRole(owner_url, login, scramVerifier(password));
  const made = (await listBiLogins(db, organization)).find((one) => one.login === login);
  if (made === undefined) throw new Error('the login is not visible');
  return { password, ...made };
}

/** What PostgreSQL stores of a password (RFC 5803), so that the password itself is never sent. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, scram_iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const server = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${scram_iterations}:${salt.toString('base64')}$${stored}:${server}`;
}

/**
 * The role holds no right to write. What PostgreSQL lets everybody write (temporary tables, large
 * objects) is closed as well; read-only by default keeps a tool from trying.
 */
async function createRole(owner_url: string, login: string, verifier: string): Promise<void> {
  await runOnce(owner_url, async (query) => {
    await query('begin');
    await query(`create role ${login} login inherit connection limit ${connections_max}
      password '${verifier}' in role app_bi`);
    await query(`alter role ${login} set default_transaction_read_only = on`);
    await query(`alter role ${login} set statement_timeout = '5min'`);
    await query(`alter role ${login} set idle_in_transaction_session_timeout = '5min'`);
    await query(`do $$
      declare
        maker regprocedure;
      begin
        execute format('revoke temporary on database %I from public', current_database());
        for maker in select p.oid from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace
            and p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import') loop
          execute format('revoke execute on function %s from public', maker);
        end loop;
      exception when insufficient_privilege then
        raise notice 'temporary tables and large objects stay open: only a superuser closes them';
      end $$`);
    await query('commit');
  });
}

export function listBiLogins(db: Database, organization: Organization): Promise<BiLogin[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<BiLogin>(
      `select l.login, l.name, u.email as as, l.created_at, l.revoked_at
       from app.bi_logins l join app.users u on u.id = l.user_id
       where l.organization_id = $1 order by l.created_at, l.login`,
      [organization.id],
    ),
  );
}

/** Sees nothing from its next statement on; its connections end and no new one opens. */
export async function revokeBiLogin(
  db: Database,
  owner_url: string,
  organization: Organization,
  login: string,
): Promise<{ login: string; revoked_at: Date }> {
  const [revoked] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<{ login: string; revoked_at: Date }>(
        `update app.bi_logins set revoked_at = coalesce(revoked_at, now())
         where organization_id = $1 and login = $2 returning login, revoked_at`,
        [organization.id, login],
      ),
  );
  if (revoked === undefined) {
    throw new FootbridgeError('login_unknown', `"${login}" in "${organization.slug}"`);
  }
  await runOnce(owner_url, async (query) => {
    const known = await query('select from pg_roles where rolname = $1', [revoked.login]);
    if (known.length > 0) await query(`alter role ${revoked.login} nologin`);
    await query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      revoked.login,
    ]);
  });
  return revoked;
}
