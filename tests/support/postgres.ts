/**
 * Real PostgreSQL for tests: the embedded default always, Debian's 15 where it is installed. Test
 * files share one server of each kind and get a database of their own, cloned from a migrated one.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe } from 'vitest';
import { openEmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { migrate } from '../../cloud-sync/db/migrations.ts';
import type { Query } from '../../cloud-sync/db/pool.ts';
import { Database, runOnce } from '../../cloud-sync/db/pool.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';

export const packageRoot = path.resolve(import.meta.dirname, '../../..');
export const migrations_dir = path.join(packageRoot, 'migrations');

/** A kind of server the suites run on. */
export interface Engine {
  readonly name: string;
  /** Undefined for the binaries that npm installed. */
  readonly binaries: string | undefined;
}

const debian = '/usr/lib/postgresql/15/bin';
const usual: readonly [Engine, ...Engine[]] = [
  { name: 'embedded PostgreSQL 18', binaries: undefined },
  { name: 'Debian PostgreSQL 15', binaries: debian },
];
const named = process.env['FOOTBRIDGE_TEST_POSTGRES'];
export const engines = named === undefined ? usual : serversIn(named);
/** For what does not depend on the server. */
export const [anyEngine] = engines;

/** Other servers, as folders with `postgres`: what `npm run engines` has installed. */
function serversIn(folders: string): readonly [Engine, ...Engine[]] {
  const servers = folders.split(':').map((binaries) => {
    const version = spawnSync(path.join(binaries, 'postgres'), ['--version'], { encoding: 'utf8' });
    return { name: version.stdout.trim(), binaries };
  });
  return servers as [Engine, ...Engine[]];
}

/** Registers the suite once for each engine; a missing one is a failure where CI is set. */
export function describeOnEngines(
  name: string,
  suite: (engine: Engine) => void,
  on: readonly Engine[] = engines,
): void {
  for (const engine of on) {
    const missing = engine.binaries !== undefined && !existsSync(engine.binaries);
    if (missing && process.env['CI'] === undefined) {
      describe.skip(`${name} on ${engine.name} (not installed: ${engine.binaries})`, () => {
        suite(engine);
      });
    } else describe(`${name} on ${engine.name}`, () => suite(engine));
  }
}

export interface TestDatabase {
  readonly owner_url: string;
  readonly service_url: string;
  readonly db: Database;
  /** As superuser, past row security: to look at what really stands there. */
  readonly asOwner: Query;
  close(): Promise<void>;
}

/** A database with the current schema, or an empty one. */
export async function openTestDatabase(
  engine: Engine,
  options: { migrated: boolean } = { migrated: true },
): Promise<TestDatabase> {
  const server = await openEmbeddedPostgres({
    data_dir: dataDirectory(engine),
    clock: systemClock,
    ...(engine.binaries === undefined ? {} : { binaries: engine.binaries }),
  });
  const name = `t_${process.pid}_${randomBytes(4).toString('hex')}`;
  const template = `template_${schemaDigest()}`;
  // One at a time: roles belong to the whole server, and a template must not be in use.
  await runOnce(server.ownerUrl('postgres'), async (query) => {
    await query('select pg_advisory_lock(1)');
    await dropLeftovers(query);
    if (options.migrated) await ensureTemplate(query, template, server.ownerUrl(template));
    await query(`create database ${name} template ${options.migrated ? template : 'template0'}`);
  });
  const service_url = server.serviceUrl(name);
  const db = new Database({ url: service_url, log: silentLog, name: 'test' });
  return {
    owner_url: server.ownerUrl(name),
    service_url,
    db,
    asOwner: (text, values) => runOnce(server.ownerUrl(name), (query) => query(text, values)),
    async close() {
      await db.close();
      await runOnce(server.ownerUrl('postgres'), (query) =>
        query(`drop database ${name} with (force)`),
      );
      await server.stop();
    },
  };
}

/** Runs migrations while no other test file does. */
export async function migrateAlone(
  database: TestDatabase,
  direction: 'up' | 'down',
  count?: number,
): Promise<string[]> {
  const lock = database.owner_url.replace(/[^/]+$/, 'postgres');
  return runOnce(lock, async (query) => {
    await query('select pg_advisory_lock(1)');
    return migrate({
      url: database.owner_url,
      directory: migrations_dir,
      direction,
      ...(count === undefined ? {} : { count }),
      log: silentLog,
    });
  });
}

function dataDirectory(engine: Engine): string {
  const kind = createHash('sha256').update(engine.name).digest('hex').slice(0, 8);
  return path.join(tmpdir(), `footbridge-tests-${process.getuid?.()}-${kind}`);
}

function schemaDigest(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(migrations_dir).sort()) {
    // Its name too: the database remembers by name what has run.
    hash.update(file).update(readFileSync(path.join(migrations_dir, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function ensureTemplate(query: Query, template: string, url: string): Promise<void> {
  const known = await query('select from pg_database where datname = $1', [template]);
  if (known.length > 0) return;
  await query(`create database ${template}_new`);
  await migrate({
    url: url.replace(template, `${template}_new`),
    directory: migrations_dir,
    direction: 'up',
    log: silentLog,
  });
  await query(`alter database ${template}_new rename to ${template}`);
}

/** Databases of runs that were killed, and templates of schemas that are gone. */
async function dropLeftovers(query: Query): Promise<void> {
  const databases = await query<{ datname: string }>(
    "select datname from pg_database where datname ~ '^(t_[0-9]|template_)'",
  );
  for (const { datname } of databases) {
    const [kind, pid] = datname.split('_');
    const stale =
      kind === 't' ? !existsSync(`/proc/${pid}`) : datname !== `template_${schemaDigest()}`;
    if (stale) await query(`drop database ${datname} with (force)`);
  }
}
