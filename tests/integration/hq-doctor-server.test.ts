/** Findings about the server of HQ's database, as `footbridge-hq doctor` prints them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from '../../cloud-sync/db/embedded-postgres.ts';
import { migrate } from '../../cloud-sync/db/migrations.ts';
import { Database, pool_size, runOnce } from '../../cloud-sync/db/pool.ts';
import { ensurePartitions } from '../../cloud-sync/partitions.ts';
import { type FindingCode, findingCatalogue } from '../../shared/findings/catalogue.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from '../support/hq.ts';
import { migrations_dir } from '../support/postgres.ts';
import { commandIn } from '../support/process.ts';
import { clockAhead } from '../support/wrong-clock.ts';

describe('footbridge-hq doctor, about the server', { timeout: 60_000 }, () => {
  let data_dir: string;
  let server: EmbeddedPostgres;
  let db: Database;
  beforeAll(async () => {
    data_dir = await mkdtemp(path.join(tmpdir(), 'footbridge-hq-'));
    server = await openEmbeddedPostgres({ data_dir, clock: systemClock });
    const url = server.ownerUrl();
    await migrate({ url, directory: migrations_dir, direction: 'up', log: silentLog });
    db = new Database({ url: server.serviceUrl(), log: silentLog, name: 'test' });
    await ensurePartitions(db);
  });
  afterAll(async () => {
    await db.close();
    await server.stop();
    await rm(data_dir, { recursive: true });
  });

  const asOwner = (text: string) => runOnce(server.ownerUrl(), (query) => query(text));
  /** Its first line names the cause and the value seen, the second what to do; it exits 1. */
  const expectFirst = async (
    code: FindingCode,
    seen: RegExp,
    environment: NodeJS.ProcessEnv = {},
  ) => {
    const told = await commandIn(
      { FOOTBRIDGE_HQ_DATA_DIR: data_dir, ...environment },
      'footbridge-hq',
      'doctor',
    );
    const [first, advice] = told.stdout.split('\n');
    expect(first).toMatch(/^FAULT /);
    expect(first).toContain(findingCatalogue[code].cause);
    expect(first).toMatch(seen);
    expect(first).toContain(`[${code}]`);
    expect(advice).toMatch(/Try: .{20}/);
    expect(told.code).toBe(1);
  };

  it('finds that too few connections are left for serve', async () => {
    const [{ allowed = 0 } = {}] = await runOnce(server.ownerUrl(), (query) =>
      query<{ allowed: number }>(
        `select current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int as allowed`,
      ),
    );
    const sleeping = "from pg_stat_activity where query = 'select pg_sleep(60)'";
    const held = Array.from({ length: allowed - pool_size }, () =>
      asOwner('select pg_sleep(60)').catch(() => {}),
    );
    await eventually(
      () => asOwner(`select ${sleeping}`),
      (rows) => rows.length === held.length,
    );
    // Those, and the few that HQ and the command have themselves.
    const used = Array.from({ length: pool_size }, (_, i) => held.length + i).join('|');
    try {
      const seen = new RegExp(`\\((${used}) of ${allowed} in use\\)`);
      await expectFirst('connections_short', seen);
    } finally {
      await asOwner(`select pg_terminate_backend(pid) ${sleeping}`);
      await Promise.all(held);
    }
  });

  it('finds that HQ’s clock and the database’s differ', async () => {
    const environment = clockAhead(data_dir, 60);
    await expectFirst('clocks_apart', /the database is -(59|6[01])\d{3} ms ahead/, environment);
  });

  it('finds a PostgreSQL with known holes, on which serve refuses to work', async () => {
    // A server of today that says it is one of before: no package installs the old one any more.
    await asOwner(`create schema old;
      grant usage on schema old to public;
      create function old.current_setting(name text) returns text language sql stable as $$
        select case name when 'server_version_num' then '150013' when 'server_version' then '15.13'
          else pg_catalog.current_setting(name) end $$;
      alter role cloud_sync in database footbridge set search_path = old, pg_catalog, public`);
    try {
      const environment = { DATABASE_URL: server.serviceUrl() };
      await expectFirst('postgres_old', /external PostgreSQL 15\.13/, environment);
      const served = await commandIn(
        environment,
        'footbridge-hq',
        'serve',
        '--listen',
        '127.0.0.1:0',
      );
      expect(served.stderr).toContain('error (postgres_unsupported)');
      expect(served.code).toBe(1);
    } finally {
      await asOwner(`alter role cloud_sync in database footbridge reset search_path;
        drop schema old cascade`);
    }
  });

  it('is content once all of that is gone', async () => {
    const environment = { FOOTBRIDGE_HQ_DATA_DIR: data_dir };
    const told = await commandIn(environment, 'footbridge-hq', 'doctor');
    expect([told.code, told.stdout]).toEqual([0, expect.not.stringContaining('FAULT')]);
  });
});
