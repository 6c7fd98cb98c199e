import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  listBackups,
  makeBackup,
  prune,
  readManifest,
} from '../../cloud-sync/backup/backup-directory.ts';
import { backUpCluster, restoreCluster } from '../../cloud-sync/backup/cluster-backup.ts';
import { backUpDatabase, restoreDatabase } from '../../cloud-sync/backup/database-backup.ts';
import { recordRun } from '../../cloud-sync/backup/record-run.ts';
import type { EmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { openEmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { migrate } from '../../cloud-sync/db/migrations.ts';
import type { Query } from '../../cloud-sync/db/pool.ts';
import { runOnce } from '../../cloud-sync/db/pool.ts';
import type { DatabaseServer } from '../../cloud-sync/db/server.ts';
import { checkBackup } from '../../cloud-sync/db/upkeep-checks.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { addTestStore } from '../support/hq.ts';
import type { Engine } from '../support/postgres.ts';
import {
  describeOnEngines,
  engines,
  migrations_dir,
  openTestDatabase,
} from '../support/postgres.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'footbridge-backup-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** Every table with a digest of its rows, and every policy. */
async function contents(query: Query): Promise<object[]> {
  const tables = await query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c
     where c.relnamespace::regnamespace::text in ('public', 'app', 'parts', 'ops')
       and c.relkind = 'r' order by 1`,
  );
  const found: object[] = await query(
    `select schemaname, tablename, policyname, roles::text, qual, with_check from pg_policies
     order by 1, 2, 3`,
  );
  for (const { name } of tables) {
    const [rows] = await query(
      `select count(*) as n, md5(string_agg(r::text, '' order by r::text)) from ${name} r`,
    );
    found.push({ name, ...rows });
  }
  return found;
}

describe('a backup of the embedded server', { timeout: 120_000 }, () => {
  let server: EmbeddedPostgres;
  let data_dir: string;
  beforeAll(async () => {
    data_dir = path.join(scratch, 'data');
    server = await openEmbeddedPostgres({ data_dir, clock: systemClock });
    await migrate({
      url: server.ownerUrl(),
      directory: migrations_dir,
      direction: 'up',
      log: silentLog,
    });
    await runOnce(server.ownerUrl(), (query) =>
      query(
        "insert into organizations (name, slug) select 'O', 'o-' || i from generate_series(1, 500) i",
      ),
    );
  });
  afterAll(() => server.stop());

  const back = (name: string) =>
    makeBackup(path.join(scratch, name), new Date(), (directory) =>
      backUpCluster(data_dir, server.ownerUrl(), directory),
    );
  const opened = async <T>(directory: string, look: (query: Query) => Promise<T>): Promise<T> => {
    const restored = await openEmbeddedPostgres({ data_dir: directory, clock: systemClock });
    try {
      return await runOnce(restored.ownerUrl(), look);
    } finally {
      await restored.stop();
    }
  };

  it('restores to a server with the same schema, rows and logins', async () => {
    const before = await runOnce(server.ownerUrl(), contents);
    const { directory } = await back('still');
    const target = path.join(scratch, 'restored');
    await restoreCluster(directory, await readManifest(directory), target);
    expect(await opened(target, contents)).toEqual(before);
  });

  it('holds what was committed before it began, and no half transaction, while others write', async () => {
    const stopping = new AbortController();
    let committed = 0;
    const writing = runOnce(server.ownerUrl(), async (query) => {
      for (; !stopping.signal.aborted; committed++) {
        const slug = `pair-${committed}`;
        await query(
          "insert into organizations (name, slug) values ('P', $1 || 'a'), ('P', $1 || 'b')",
          [slug],
        );
      }
    });
    while (committed < 20) await systemClock.sleep(5);
    const sure = committed;
    const { directory } = await back('moving');
    stopping.abort();
    await writing;
    const target = path.join(scratch, 'moved');
    await restoreCluster(directory, await readManifest(directory), target);
    const pairs = await opened(target, (query) =>
      query<{ n: number }>(
        "select count(*) as n from organizations where slug like 'pair-%' group by left(slug, -1)",
      ),
    );
    expect(pairs.length).toBeGreaterThanOrEqual(sure);
    expect(pairs.every(({ n }) => n === 2)).toBe(true);
  });

  it('puts nothing in place when one byte of it is another', async () => {
    const { directory } = await back('damaged');
    const manifest = await readManifest(directory);
    const victim = manifest.files.find(({ bytes }) => bytes > 1000);
    const file = path.join(directory, `${victim?.file}.gz`);
    const bytes = await readFile(file);
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    await writeFile(file, bytes);
    const target = path.join(scratch, 'never');
    await expect(restoreCluster(directory, manifest, target)).rejects.toMatchObject({
      code: 'backup_damaged',
      detail: expect.stringContaining(victim?.file ?? ''),
    });
    await expect(readFile(path.join(target, 'postgres', 'PG_VERSION'))).rejects.toThrow(/ENOENT/);
  });

  it('never writes over a data directory', async () => {
    const { directory } = await back('second');
    await expect(
      restoreCluster(directory, await readManifest(directory), data_dir),
    ).rejects.toMatchObject({ code: 'backup_target_taken' });
  });

  it('needs pg_dump for nothing, and says what pg_dump says where it is used', async () => {
    const missing = makeBackup(path.join(scratch, 'dumped'), new Date(), (directory) =>
      backUpDatabase('postgres://nobody:x@127.0.0.1:1/none', directory),
    );
    await expect(missing).rejects.toMatchObject({
      code: 'backup_failed',
      detail: expect.stringMatching(/^pg_dump: /),
    });
  });
});

describeOnEngines('doctor', (engine) => {
  it('misses a backup of the embedded server after two nights, and an old one anywhere', async () => {
    const hq = await openTestDatabase(engine);
    try {
      const hour_ms = 3_600_000;
      const judge = async (kind: 'embedded' | 'external', hours: number) => {
        const clock = { ...systemClock, now: () => systemClock.now() + hours * hour_ms };
        const server = { kind } as DatabaseServer;
        return (await checkBackup(hq.db, server, clock)).result;
      };
      await hq.asOwner("insert into app.job_runs (job) values ('partitions')");
      expect([await judge('embedded', 1), await judge('embedded', 51)]).toEqual(['good', 'fault']);
      expect(await judge('external', 1000)).toBe('good');
      await recordRun(hq.db, new Date(), '/backups/1');
      expect([await judge('embedded', 49), await judge('embedded', 51)]).toEqual(['good', 'fault']);
      expect(await judge('external', 51)).toBe('fault');
      await hq.asOwner("update app.job_runs set outcome = 'failed' where job = 'backup'");
      expect(await judge('embedded', 51)).toBe('fault');
    } finally {
      await hq.close();
    }
  });
});

describe('the directory of backups', () => {
  it('keeps the newest, and clears away what a killed run left', async () => {
    const root = path.join(scratch, 'many');
    const empty = { kind: 'cluster', server_version: '18', directories: [], files: [], roles: [] };
    for (const day of ['03', '01', '02']) {
      await makeBackup(root, new Date(`2026-11-${day}T02:00:00Z`), async () => empty as never);
    }
    await expect(
      makeBackup(root, new Date('2026-11-04T02:00:00Z'), () => Promise.reject(new Error('full'))),
    ).rejects.toThrow('full');
    expect(await prune(root, 2)).toEqual(['20261101T020000Z']);
    expect(await listBackups(root)).toEqual(['20261102T020000Z', '20261103T020000Z']);
  });
});

// npm's binaries bring no pg_dump, and Debian's is of its own server's version.
const enginesWithDump = engines.filter(({ binaries }) => binaries !== undefined);

const backsUpDatabase = (engine: Engine) => {
  it('fills an empty database with the same schema and rows', { timeout: 120_000 }, async () => {
    const hq = await openTestDatabase(engine);
    const fresh = await openTestDatabase(engine, { migrated: false });
    try {
      const store = await addTestStore(hq);
      await addTestStore(hq, { organization: store.organization });
      await hq.asOwner('select app.ensure_partitions(1, 1)');
      const { directory } = await makeBackup(path.join(scratch, 'dump'), new Date(), (target) =>
        backUpDatabase(hq.owner_url, target),
      );
      const manifest = await readManifest(directory);
      expect(manifest.roles.map(({ name }) => name)).toContain('app_retention');
      await restoreDatabase(directory, manifest, fresh.owner_url);
      expect(await runOnce(fresh.owner_url, contents)).toEqual(
        await runOnce(hq.owner_url, contents),
      );
      await expect(restoreDatabase(directory, manifest, fresh.owner_url)).rejects.toMatchObject({
        code: 'backup_target_taken',
      });
    } finally {
      await fresh.close();
      await hq.close();
    }
  });
};

describeOnEngines('a backup of a database', backsUpDatabase, enginesWithDump);
