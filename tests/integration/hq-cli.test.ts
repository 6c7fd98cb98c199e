import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { openEmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { packageRoot } from '../support/postgres.ts';

const hq = path.join(packageRoot, 'dist/cloud-sync/cli/footbridge-hq.js');

describe('footbridge-hq', () => {
  let data_dir: string;
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    data_dir = await mkdtemp(path.join(tmpdir(), 'footbridge-hq-'));
    server = await openEmbeddedPostgres({ data_dir, clock: systemClock });
  });
  afterAll(async () => {
    await server.stop();
    await rm(data_dir, { recursive: true });
  });

  const run = (args: string[], environment: Record<string, string> = {}) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, FOOTBRIDGE_HQ_DATA_DIR: data_dir, ...environment };
      execFile(process.execPath, [hq, ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run([...args, '--json']);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  };

  it('takes a store from nothing to a report, each step one JSON document', async () => {
    expect(await json('org', 'add', '--slug', 'acme', '--name', 'Acme')).toMatchObject({
      slug: 'acme',
    });
    const store = ['--code', 'blr-1', '--name', 'Bangalore', '--timezone', 'Asia/Kolkata'];
    expect(await json('store', 'add', '--org', 'acme', ...store)).toMatchObject({
      organization: 'acme',
      code: 'blr-1',
      timezone: 'Asia/Kolkata',
    });
    expect(await json('gateway', 'invite', '--org', 'acme', '--store', 'blr-1')).toMatchObject({
      token: expect.stringMatching(/^fbt_[\w-]{43}$/),
    });
    expect(await json('gateway', 'list', '--org', 'acme')).toEqual({
      organization: 'acme',
      gateways: [],
    });
    const who = ['--email', 'm@acme.example', '--role', 'store_manager', '--store', 'blr-1'];
    expect(await json('user', 'add', '--org', 'acme', ...who)).toMatchObject({
      user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      stores: ['blr-1'],
    });
    const asking = ['--org', 'acme', '--store', 'blr-1', '--as', 'M@acme.example'];
    expect(await json('report', 'hours', ...asking)).toEqual({
      organization: 'acme',
      store: 'blr-1',
      name: 'Bangalore',
      timezone: 'Asia/Kolkata',
      hours: [],
    });
    const reader = ['--org', 'acme', '--as', 'm@acme.example', '--name', 'Metabase'];
    const key = await json('key', 'create', ...reader);
    expect(key).toMatchObject({ key: expect.stringMatching(/^fbk_[0-9a-f]{8}_[\w-]{43}$/) });
    await json('key', 'revoke', '--org', 'acme', '--key', key.key_id);
    expect(await json('key', 'list', '--org', 'acme')).toMatchObject({
      keys: [{ name: 'Metabase', as: 'm@acme.example', revoked_at: expect.any(String) }],
    });
    const login = await json('bi', 'add', ...reader);
    expect(login.url).toMatch(
      /^postgres:\/\/bi_[0-9a-f]{12}:[\w-]{32}@127\.0\.0\.1:\d+\/footbridge$/,
    );
    await json('bi', 'revoke', '--org', 'acme', '--login', login.login);
    expect(await json('bi', 'list', '--org', 'acme')).toMatchObject({
      logins: [{ login: login.login, revoked_at: expect.any(String) }],
    });
    expect(await json('migrate', 'status')).toMatchObject({ pending: [], unknown: [] });
  }, 30_000);

  it('takes calendars, holidays and what a line counts for, and says which value does not fit', async () => {
    const org = ['--org', 'acme'];
    const store = [...org, '--store', 'blr-1'];
    expect(await json('calendar', 'show', ...org)).toMatchObject({ week_starts: 'monday' });
    expect(await json('calendar', 'set', ...org, '--kind', '4-5-4')).toMatchObject({
      week_starts: 'sunday',
      year_starts: '02-01',
      weeks: '4-5-4',
    });
    const holiday = ['--date', '2026-11-08', '--name', 'Diwali', '--hours', '17:00-21:00'];
    expect(await json('store', 'holiday', ...store, ...holiday)).toMatchObject({
      hours_to_compute: 0,
    });
    expect(await json('store', 'reset-hour', ...store, '--hour', '5')).toMatchObject({
      store: 'blr-1',
    });
    expect(await json('sensor', 'list', ...store)).toMatchObject({ sensors: [] });
    const asking = [...store, '--as', 'm@acme.example', '--by', 'month'];
    expect(await json('report', 'periods', ...asking)).toMatchObject({ periods: [] });

    const refused = async (...args: string[]) => {
      const { code, stderr } = await run(args);
      return [code, stderr.split('\n').find((line) => line.includes('"')) ?? stderr];
    };
    const wrong = [
      ['calendar', 'set', ...org, '--kind', 'lunar'],
      ['store', 'holiday', ...store, '--date', '2026-02-30', '--name', 'x'],
      ['store', 'reset-hour', ...store, '--hour', '24'],
      ['sensor', 'set', ...store, '--sensor', 'door', '--role', 'exit'],
      ['report', 'periods', ...asking, '--by', 'decade'],
    ];
    const answers = await Promise.all(wrong.map((args) => refused(...args)));
    expect(answers).toEqual([
      [2, expect.stringContaining('--kind "lunar": use iso')],
      [2, expect.stringContaining('--date "2026-02-30": use YYYY-MM-DD')],
      [2, expect.stringContaining('--hour "24"')],
      [2, expect.stringContaining('--role "exit": use entrance')],
      [2, expect.stringContaining('--by "decade": use week')],
    ]);
    expect(await refused('sensor', 'set', ...store, '--sensor', 'door', '--role', 'staff')).toEqual(
      [1, expect.stringContaining('"door" in store "blr-1"')],
    );
  }, 60_000);

  it('says what is wrong, the value seen and what to do, and exits by kind', async () => {
    const cases: [string[], Record<string, string>, number, string][] = [
      [['org', 'add', '--slug', 'No Slug', '--name', 'x'], {}, 2, '"No Slug"'],
      [['store', 'list', '--org', 'nobody'], {}, 1, 'footbridge-hq org list'],
      [['org', 'add'], {}, 2, '--slug'],
      [['serve', '--listen', 'here'], {}, 2, '"here"'],
      [
        ['report', 'hours', '--org', 'a', '--store', 'b', '--as', 'c', '--from', '2026-01-01'],
        {},
        2,
        '--from',
      ],
      [['org', 'list'], { DATABASE_URL: 'mysql://x' }, 78, 'DATABASE_URL'],
      [['org', 'list'], { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x' }, 1, 'ECONNREFUSED'],
      [['serve'], { DATABASE_URL: server.ownerUrl('postgres') }, 1, 'migrate up'],
    ];
    const seen = await Promise.all(cases.map(([args, environment]) => run(args, environment)));
    for (const [i, [args, , code, text]] of cases.entries()) {
      expect([args, seen[i]?.code, seen[i]?.stdout]).toEqual([args, code, '']);
      expect(seen[i]?.stderr).toContain(text);
    }
  }, 30_000);

  it('refuses to serve as a login that could step around row security', async () => {
    const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0'], {
      DATABASE_URL: server.ownerUrl(),
    });
    expect([code, stderr]).toEqual([78, expect.stringContaining('is a superuser')]);
  });

  it('shows an example in the help of every command', async () => {
    const commands = [
      [],
      ['serve'],
      ['migrate'],
      ['migrate', 'down'],
      ['org', 'add'],
      ['store', 'add'],
    ]
      .concat([
        ['gateway', 'invite'],
        ['gateway', 'revoke'],
        ['user', 'add'],
        ['report', 'hours'],
      ])
      .concat([['doctor']]);
    const helps = await Promise.all(commands.map((words) => run([...words, '--help'])));
    for (const [i, help] of helps.entries()) {
      expect([commands[i], help.code]).toEqual([commands[i], 0]);
      expect(help.stdout).toContain('Example:\n  ');
    }
  }, 30_000);

  it('finds with doctor what serve has not prepared yet', async () => {
    const { code, stdout } = await run(['doctor']);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAULT +partitions/m)]);
  });
});
