/** Applies migrations/*.sql, and says whether the schema fits this program. */
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runner } from 'node-pg-migrate';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database, Transaction } from './pool.ts';
import { runOnce, sqlState, withClient } from './pool.ts';
import { assertSupported } from './server-version.ts';

export interface SchemaState {
  /** Names without `.sql`, oldest first. */
  readonly applied: string[];
  /** In the package and not in the database. */
  readonly pending: string[];
  /** In the database and not in the package: applied by a newer version. */
  readonly unknown: string[];
}

/**
 * Runs pending migrations, or takes the youngest `count` back, all in one transaction.
 *
 * @param url login that may create roles and owns the database.
 * @returns names of the migrations that ran.
 * @throws migration_failed; the schema is then as before.
 */
export async function migrate(options: {
  url: string;
  directory: string;
  direction: 'up' | 'down';
  count?: number;
  log: Log;
}): Promise<string[]> {
  await runOnce(options.url, async (query) => assertSupported(await serverVersion(query)));
  return withClient(options.url, (client) => run(client, options));
}

async function run(
  dbClient: Parameters<Parameters<typeof withClient>[1]>[0],
  options: Parameters<typeof migrate>[0],
): Promise<string[]> {
  const { log } = options;
  // The runner names each migration before it runs it, and no error does.
  let running = 'before the first migration';
  try {
    const ran = await runner({
      dbClient,
      dir: options.directory,
      direction: options.direction,
      ...(options.count === undefined ? {} : { count: options.count }),
      migrationsTable: 'migrations',
      migrationsSchema: 'ops',
      createMigrationsSchema: true,
      singleTransaction: true,
      checkOrder: true,
      // Two processes that start at once: the second waits and finds nothing to do.
      advisoryLockMode: 'wait',
      logger: {
        debug: (text) => log.debug(text),
        info: (text) => {
          running = /^### MIGRATION (\S+) /.exec(text)?.[1] ?? running;
          log.debug(text);
        },
        warn: (text) => log.warn(text),
        error: (text) => log.debug(text),
      },
    });
    return ran.map(({ name }) => name);
  } catch (cause) {
    const detail = `${running}: ${errorText(cause)}${whereIn(cause)}`;
    throw new FootbridgeError('migration_failed', detail, { cause });
  }
}

/** The line that PostgreSQL points at, within the part of the file that ran. */
function whereIn(error: unknown): string {
  const { position, where } = error as { position?: string; where?: string };
  if (position !== undefined) return `, at character ${position}`;
  return where === undefined ? '' : `, in ${where.split('\n')[0]}`;
}

async function serverVersion(
  query: Transaction['query'],
): Promise<{ number: number; text: string }> {
  const [row] = await query<{ number: number; text: string }>(
    "select current_setting('server_version_num')::int as number, current_setting('server_version') as text",
  );
  return row ?? { number: 0, text: 'unknown' };
}

/** Compares the database with the package, as the operator. */
export async function schemaState(db: Database, directory: string): Promise<SchemaState> {
  const files = await readdir(directory);
  const packaged = files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort();
  const applied = await appliedMigrations(db);
  return {
    applied,
    pending: packaged.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !packaged.includes(name)),
  };
}

async function appliedMigrations(db: Database): Promise<string[]> {
  try {
    return await db.inTenant({}, 'app_operator', async ({ query }) => {
      const rows = await query<{ name: string }>('select name from ops.migrations order by id');
      return rows.map(({ name }) => name);
    });
  } catch (error) {
    // No such role, schema, table or right: nothing was ever applied here.
    if (['22023', '3F000', '42P01', '42501'].includes(sqlState(error) ?? '')) return [];
    throw error;
  }
}

const skeleton = `-- What this is for.

-- Up Migration

set local role app_owner;

reset role;

-- Down Migration

set local role app_owner;

reset role;
`;

/** Starts the next migration and returns its file. @throws usage when the name has no letters. */
export async function makeMigration(directory: string, name: string): Promise<string> {
  const words = name
    .toLowerCase()
    .match(/[a-z0-9]+/g)
    ?.join('-');
  if (words === undefined) throw new FootbridgeError('usage', `"${name}" names nothing`);
  const files = await readdir(directory);
  const last = Math.max(0, ...files.map((file) => Number.parseInt(file, 10) || 0));
  const file = path.join(directory, `${String(last + 1).padStart(4, '0')}_${words}.sql`);
  await writeFile(file, skeleton, { flag: 'wx' });
  return file;
}

/** @throws schema_older, schema_newer */
export function assertSchemaFits(state: SchemaState): void {
  if (state.unknown.length > 0) {
    throw new FootbridgeError('schema_newer', `unknown here: ${state.unknown.join(', ')}`);
  }
  if (state.pending.length > 0) {
    throw new FootbridgeError('schema_older', `not applied: ${state.pending.join(', ')}`);
  }
}
