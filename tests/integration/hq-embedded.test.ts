import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processStart } from '../../cloud-sync/db/data-directory.ts';
import { openEmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { migrate } from '../../cloud-sync/db/migrations.ts';
import { runOnce } from '../../cloud-sync/db/pool.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from '../support/hq.ts';
import { engines, migrations_dir, packageRoot } from '../support/postgres.ts';

const hq = path.join(packageRoot, 'dist/cloud-sync/cli/footbridge-hq.js');

describe('the embedded PostgreSQL', () => {
  let data_dir: string;
  beforeEach(async () => {
    data_dir = await mkdtemp(path.join(tmpdir(), 'footbridge-hq-'));
  });
  afterEach(async () => {
    await rm(data_dir, { recursive: true, force: true });
  });
  const open = (directory = data_dir) =>
    openEmbeddedPostgres({ data_dir: directory, clock: systemClock });
  const ask = (url: string, text: string) => runOnce(url, (query) => query(text));

  it('keeps data over a restart, with fsync on, a password on every login, secrets 0600', async () => {
    const first = await open();
    await ask(first.ownerUrl(), 'create table kept as select 1 as i');
    const settings = await ask(first.ownerUrl(), "select current_setting('fsync') as fsync");
    expect(settings).toEqual([{ fsync: 'on' }]);
    const guess = first.serviceUrl().replace(/:[^:@]+@/, ':guess@');
    await expect(ask(guess, 'select 1')).rejects.toMatchObject({ code: 'database_unavailable' });
    const { mode } = await stat(path.join(data_dir, 'secrets.json'));
    expect(mode & 0o777).toBe(0o600);
    await first.stop();
    expect(await processStart(first.pid)).toBeUndefined();
    const second = await open();
    expect(await ask(second.ownerUrl(), 'select i from kept')).toEqual([{ i: 1 }]);
    await second.stop();
  });

  it('is shared by those who open it, and stops with the last of them', async () => {
    const [first, second] = await Promise.all([open(), open()]);
    expect(second.pid).toBe(first.pid);
    await first.stop();
    expect(await ask(second.ownerUrl(), 'select 1 as i')).toEqual([{ i: 1 }]);
    await second.stop();
    expect(await processStart(first.pid)).toBeUndefined();
  });

  it('comes back after its own SIGKILL', async () => {
    const first = await open();
    process.kill(first.pid, 'SIGKILL');
    await first.ended(new AbortController().signal);
    const second = await open();
    expect(second.pid).not.toBe(first.pid);
    await first.stop();
    await second.stop();
  });

  it('is found again when the serve that started it was killed', async () => {
    const serve = async () => {
      const child = spawn(process.execPath, [hq, 'serve', '--listen', '127.0.0.1:0'], {
        env: { ...process.env, FOOTBRIDGE_HQ_DATA_DIR: data_dir, FOOTBRIDGE_LOG_LEVEL: 'silent' },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
      });
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      await eventually(
        async () => printed,
        (text) => text.includes('Listening'),
        20_000,
      );
      return { child, url: printed.trim().split(' ').at(-1), ended };
    };
    const killed = await serve();
    killed.child.kill('SIGKILL');
    await killed.ended;
    const pid = Number(
      (await readFile(path.join(data_dir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0],
    );
    expect(await processStart(pid)).toBeDefined();
    const again = await serve();
    expect((await fetch(`${again.url}/readyz`)).status).toBe(200);
    again.child.kill('SIGTERM');
    expect(await again.ended).toBe(0);
    expect(await processStart(pid)).toBeUndefined();
  }, 40_000);

  it('takes its migrations from an owner that is no superuser', async () => {
    // PostgreSQL 15 must be able to walk to its data.
    await chmod(data_dir, 0o711);
    const debian = engines[1];
    const here = debian?.binaries !== undefined && (await stat(debian.binaries).catch(() => null));
    for (const binaries of here ? [undefined, debian.binaries] : [undefined]) {
      const directory = path.join(data_dir, binaries === undefined ? 'a' : 'b');
      const server = await openEmbeddedPostgres({
        data_dir: directory,
        clock: systemClock,
        ...(binaries === undefined ? {} : { binaries }),
      });
      await ask(server.ownerUrl('postgres'), 'drop role cloud_sync');
      await ask(server.ownerUrl('postgres'), "create role deploy login createrole password 'pw'");
      await ask(server.ownerUrl('postgres'), 'create database hosted owner deploy');
      const url = `postgres://deploy:pw@127.0.0.1:${server.port}/hosted`;
      const run = (direction: 'up' | 'down') =>
        migrate({ url, directory: migrations_dir, direction, count: 99, log: silentLog });
      const names = await run('up');
      expect(await run('down')).toEqual(names.toReversed());
      expect(await run('up')).toEqual(names);
      await server.stop();
    }
  }, 40_000);

  it.runIf(process.getuid?.() === 0)(
    'runs for root below a directory closed to all others',
    async () => {
      const closed = await mkdtemp(path.join(homedir(), '.footbridge-test-'));
      await chmod(closed, 0o700);
      const server = await open(path.join(closed, 'hq'));
      expect(await ask(server.serviceUrl(), 'select 1 as i')).toEqual([{ i: 1 }]);
      await server.stop();
      await rm(closed, { recursive: true });
    },
  );
});
