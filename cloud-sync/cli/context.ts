/** What every command of footbridge-hq starts from. */
import path from 'node:path';
import type { Clock } from '../../shared/runtime/clock.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { createLog } from '../../shared/runtime/log.ts';
import type { Config } from '../config.ts';
import { readConfig } from '../config.ts';
import { assertSchemaFits, migrate, schemaState } from '../db/migrations.ts';
import { Database } from '../db/pool.ts';
import type { DatabaseServer } from '../db/server.ts';
import { loginOf, openDatabaseServer } from '../db/server.ts';
import { assertSupported } from '../db/server-version.ts';

export interface Context {
  readonly config: Config;
  readonly migrations_dir: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CommonOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** Where Debian's package puts the program. */
const installed_root = '/usr/lib/footbridge-hq';

/** @param package_root the directory that holds migrations/. @throws config_invalid */
export function createContext(package_root: string, options: CommonOptions): Context {
  const config = readConfig(package_root === installed_root);
  return {
    config: { ...config, data_dir: dataDirectory(options) ?? config.data_dir },
    migrations_dir: path.join(package_root, 'migrations'),
    clock: systemClock,
    log: createLog({ level: config.log_level, name: 'footbridge-hq', journal: config.journal }),
  };
}

/** An empty one would be the current directory, which nobody means. @throws usage */
function dataDirectory({ dataDir }: CommonOptions): string | undefined {
  if (dataDir === '') throw new FootbridgeError('usage', '--data-dir is empty; name a directory');
  return dataDir === undefined ? undefined : path.resolve(dataDir);
}

/** Runs `work` while the database server is open, whatever its version, and leaves it afterwards. */
export async function withServer<T>(
  context: Context,
  work: (server: DatabaseServer) => Promise<T>,
): Promise<T> {
  const server = await openDatabaseServer({ ...context.config, clock: context.clock });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/**
 * Runs `work` on a database whose schema fits; the embedded default is brought up to date.
 *
 * @throws database_unavailable, postgres_unsupported, schema_older, schema_newer
 */
export async function withDatabase<T>(
  context: Context,
  work: (db: Database, server: DatabaseServer) => Promise<T>,
): Promise<T> {
  return withServer(context, async (server) => {
    const { log } = context;
    if (server.kind === 'external') assertSupported(await loginOf(server.service_url));
    const db = new Database({ url: server.service_url, log, name: 'footbridge-hq' });
    try {
      await ensureSchema(context, server, db);
      return await work(db, server);
    } finally {
      await db.close();
    }
  });
}

/**
 * A server of the operator's own is never migrated behind their back.
 *
 * @throws schema_older, schema_newer
 */
async function ensureSchema(context: Context, server: DatabaseServer, db: Database): Promise<void> {
  const state = await schemaState(db, context.migrations_dir);
  if (server.kind === 'embedded' && state.unknown.length === 0 && state.pending.length > 0) {
    await migrate({
      url: server.owner_url,
      directory: context.migrations_dir,
      direction: 'up',
      log: context.log,
    });
    return;
  }
  assertSchemaFits(state);
}
