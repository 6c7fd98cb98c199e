/** Opens the database server a command works with: the embedded default, or the one configured. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { EmbeddedPostgres } from './embedded-postgres.ts';
import { openEmbeddedPostgres } from './embedded-postgres.ts';
import { runOnce } from './pool.ts';

export interface DatabaseServer {
  readonly kind: 'embedded' | 'external';
  /** Login that serves. */
  readonly service_url: string;
  /** Login that owns the schema. */
  readonly owner_url: string;
  /** The process, when it is ours to watch. */
  readonly embedded: EmbeddedPostgres | undefined;
  stop(): Promise<void>;
}

/** @throws embedded_failed */
export async function openDatabaseServer(options: {
  database_url: string | undefined;
  migration_database_url: string | undefined;
  data_dir: string;
  clock: Clock;
}): Promise<DatabaseServer> {
  const { database_url, clock } = options;
  if (database_url === undefined) {
    const embedded = await openEmbeddedPostgres({ data_dir: options.data_dir, clock });
    return {
      kind: 'embedded',
      service_url: embedded.serviceUrl(),
      owner_url: embedded.ownerUrl(),
      embedded,
      stop: () => embedded.stop(),
    };
  }
  return {
    kind: 'external',
    service_url: database_url,
    owner_url: options.migration_database_url ?? database_url,
    embedded: undefined,
    async stop() {},
  };
}

/** What a login is and could do beside its work, with the server's version. */
export interface Login {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypasses_rls: boolean;
  readonly owns_schema: boolean;
  /** `server_version_num` */
  readonly number: number;
  readonly text: string;
}

export function loginOf(url: string): Promise<Login> {
  return runOnce(url, async (query) => {
    const [login] = await query<Login>(
      `select r.rolname as name, r.rolsuper as superuser, r.rolbypassrls as bypasses_rls,
         coalesce(pg_has_role(to_regrole('app_owner'), 'member'), false) as owns_schema,
         current_setting('server_version_num')::int as number,
         current_setting('server_version') as text
       from pg_roles r where r.rolname = current_user`,
    );
    if (login === undefined) throw new Error('the login has no role');
    return login;
  });
}

/** @throws config_invalid when the login could step around row security. */
export function assertMayServe(login: Login): void {
  const reasons = [
    login.superuser ? 'is a superuser' : undefined,
    login.bypasses_rls ? 'has BYPASSRLS' : undefined,
    login.owns_schema ? 'may become the owner of the tables' : undefined,
  ].filter((reason) => reason !== undefined);
  if (reasons.length > 0) {
    throw new FootbridgeError(
      'config_invalid',
      `DATABASE_URL: the login "${login.name}" ${reasons.join(' and ')}`,
      {
        hint: 'Serve as cloud_sync: give it a password with ALTER ROLE, name it in DATABASE_URL, and keep the owner in MIGRATION_DATABASE_URL.',
      },
    );
  }
}
