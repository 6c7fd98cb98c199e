/**
 * Both packages on one plain Debian, by the commands of docs/install.md: installed, used, brought to a
 * newer version and back while readings wait, and removed. The tests are one story, in this order.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crossing, type Door, followPrinted, seconds } from '../../bench/printed-path.ts';
import { DebianRoot, debianBase, missingForDebian } from '../../packaging/debian-root.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printLine } from '../../shared/runtime/command-output.ts';
import { built, versionToCome } from './built.ts';
import { documented } from './install-guide.ts';

const minute_ms = 60_000;
/** From an installed package to a passed walk test. */
const limits = { walk_test_s: 90, commands: 8 };
/** Who walked through the side door in its walk test. */
const walked = { in: 2, out: 1 };

const folder = (name: string) => mkdtempSync(join(tmpdir(), `footbridge-${name}-`));
const missing = missingForDebian();
const suite = missing === null ? describe : describe.skip;
const why = missing === null ? '' : ` (skipped: ${missing} is missing)`;

suite(`a plain Debian${why}`, () => {
  let debian: DebianRoot;
  let packages: { gateway: string; newer_gateway: string; hq: string; newer_hq: string };
  let told = 0;
  let folders: readonly [string, string] = ['', ''];

  const sh = (line: string) => debian.inside('sh', '-c', line);
  const json = async (line: string) => JSON.parse(await sh(`${line} --json`));
  /** As the guide has it, but asked nothing, and with the file that was built. */
  const type = (line: string) => {
    const files = Object.values(packages).map((file): [string, string] => [
      `./${basename(file)}`,
      `/root/${basename(file)}`,
    ]);
    const named = files.reduce((text, [name, file]) => text.replaceAll(name, file), line);
    return sh(named.replace(/^apt /, 'apt-get -y '));
  };
  const speak = (topic: string, messages: readonly string[]) => {
    const sensor = join(import.meta.dirname, 'sensor.js');
    return debian.fromOutside(process.execPath, sensor, topic, ...messages);
  };
  /** Minutes of the front door: three people in and one out in each. */
  const tell = async (count: number) => {
    const now = Math.floor(systemClock.now() / minute_ms) * minute_ms;
    const at = (minutes: number) => new Date(now - minutes * minute_ms).toISOString();
    const messages = Array.from({ length: count }, (_, i) => {
      const id = told + i;
      return JSON.stringify({ id, from: at(id + 1), to: at(id), in: 3, out: 1 });
    });
    await speak('counters/front-door', messages);
    told += count;
  };
  const waiting = async () => (await json('footbridge buffer stats')) as { buffered: number };
  const buffer = (sql: string) => {
    const file = '/var/lib/footbridge/buffer.sqlite';
    const addon = '/usr/lib/footbridge/node_modules/better-sqlite3';
    const read = `new (require('${addon}'))('${file}', { readonly: true }).prepare(process.argv[1]).raw().all()`;
    return debian.inside('node', '-p', `JSON.stringify(${read})`, sql);
  };
  const schema = async () => {
    await sh('systemctl stop footbridge');
    const [[version]] = JSON.parse(await buffer('PRAGMA user_version')) as [[number]];
    await sh('systemctl start footbridge');
    return version;
  };
  const atHq = async () => {
    const asked = 'footbridge-hq report hours --org acme --store mad-1 --as mar@acme.example';
    const { hours } = (await json(asked)) as { hours: { total_in: number; total_out: number }[] };
    return hours.reduce(
      (sum, hour) => ({ in: sum.in + hour.total_in, out: sum.out + hour.total_out }),
      { in: 0, out: 0 },
    );
  };

  beforeAll(async () => {
    folders = [folder('packages'), folder('to-come')];
    const [out, next] = folders;
    const to_come = versionToCome(next, '0.2.0');
    packages = {
      gateway: built('footbridge', '0.1.0', { out }),
      newer_gateway: built('footbridge', '0.2.0', { out, from: to_come }),
      hq: built('footbridge-hq', '0.1.0', { out }),
      newer_hq: built('footbridge-hq', '0.2.0', { out }),
    };
    debian = await DebianRoot.boot(debianBase(), systemClock);
    for (const file of Object.values(packages)) debian.copyIn(file);
  });

  afterAll(async () => {
    await debian?.end();
    for (const each of folders) rmSync(each, { recursive: true, force: true });
  });

  test('takes headquarters beside its PostgreSQL', async () => {
    for (const line of documented('At headquarters', {})) await type(line);
    expect(await sh('systemctl is-active footbridge-hq')).toBe('active\n');
    await expect(sh('runuser -u nobody -- ls /etc/footbridge-hq/credentials')).rejects.toThrow();
  });

  test('gives the server no word of the owner of its schema', async () => {
    const pid = (await sh('systemctl show -P MainPID footbridge-hq')).trim();
    const seen = await sh(`ls /run/credentials/footbridge-hq.service; cat /proc/${pid}/environ`);
    expect(seen).toContain('hq_database-url');
    expect(seen).not.toContain('owner');
  });

  test('backs headquarters up and archives as its timers do', async () => {
    await sh('systemctl start footbridge-hq-backup.service');
    await sh('systemctl start footbridge-hq-retention.service');
    expect(await sh('ls /var/lib/private/footbridge-hq/backups')).not.toBe('');
  });

  test('takes the gateway, which counts at once under a user of its own', async () => {
    const typed = documented('In the store', { NAME: 'daemon' });
    const begun = systemClock.monotonic();
    for (const line of typed.filter((each) => /^(apt|adduser) /.test(each))) await type(line);
    printLine(`installation of the gateway  ${seconds(systemClock.monotonic() - begun)} s`);
    expect(await sh('systemctl is-active footbridge')).toBe('active\n');
    expect(await sh('ps -o user= -C node | sort -u')).toContain('footbri');
    expect(await sh('stat -c "%U:%G %a" /var/lib/footbridge')).toBe('footbridge:footbridge 750\n');
    await expect(
      sh('runuser -u daemon -- cat /var/lib/footbridge/buffer.sqlite'),
    ).rejects.toThrow();
  });

  test('leads from an enrolment to a passed walk test by what each command prints', async () => {
    let printed = '';
    for (const line of documented('At headquarters', {}, 1)) printed += await type(line);
    const token = /fbt_[\w-]+/.exec(printed)?.[0] ?? '';
    const instead = { 'https://hq.example.com': 'http://127.0.0.1:8480', 'fbt_…': token };
    const enroll = documented('In the store', instead).find((each) => / enroll /.test(each)) ?? '';
    const cross: Door['cross'] = async (...ways) => {
      await speak('counters/side-door', ways.map(crossing));
    };
    await cross('in');

    const at = { door: { cross }, socket: debian.file('/var/lib/footbridge/footbridge.sock') };
    const [footbridge = '', ...words] = enroll.split(' ');
    const seen = await followPrinted([...debian.entering, footbridge], words, at);
    const { commands, walk_test_s } = seen;
    for (const line of commands) printLine(`  ${line}`);
    printLine(`enrolment to a passed walk test  ${walk_test_s} s, limit ${limits.walk_test_s}`);
    printLine(`commands typed  ${commands.length}, limit ${limits.commands}`);
    expect(seen.verdict).toBe('PASSED');
    expect(walk_test_s).toBeLessThan(limits.walk_test_s);
    expect(commands.length).toBeLessThanOrEqual(limits.commands);
    expect(commands.at(-1)).toBe('footbridge doctor');
    expect(await sh('runuser -u daemon -G footbridge -- footbridge status')).toContain(
      'mad-1 of acme',
    );
    await expect.poll(atHq, { timeout: 60_000 }).toEqual(walked);
  });

  test('counts a person at headquarters', async () => {
    const profile = '--profile json-interval --topic counters/front-door';
    await sh(`footbridge sensor pair front-door ${profile}`);
    await tell(1);
    await expect
      .poll(atHq, { timeout: 60_000 })
      .toEqual({ in: walked.in + 3, out: walked.out + 1 });
    expect(await sh('footbridge doctor')).toContain('good');
  });

  test('keeps what waits while the gateway becomes a newer one and an older one again', async () => {
    await sh('systemctl stop footbridge-hq');
    const known = await schema();
    await tell(40);
    expect(await waiting()).toMatchObject({ buffered: 40 });

    await type(`apt install ./${basename(packages.newer_gateway)}`);
    expect(await sh('footbridge --version')).toBe('0.2.0\n');
    expect(await schema()).toBe(known + 1);
    await tell(40);
    expect(await waiting()).toMatchObject({ buffered: 80 });

    await type(`apt install --allow-downgrades ./${basename(packages.gateway)}`);
    expect(await sh('footbridge --version')).toBe('0.1.0\n');
    expect(await schema()).toBe(known);
    await tell(40);
    expect(await waiting()).toMatchObject({ buffered: 120 });
    expect(await sh('journalctl -u footbridge -o cat')).toContain(
      `"from":${known + 1},"to":${known},"msg":"the buffer was brought to the schema of this version"`,
    );
  });

  test('has everybody at a newer headquarters exactly once', async () => {
    for (const line of [
      `apt install ./${basename(packages.newer_hq)}`,
      'footbridge-hq migrate up',
      'systemctl restart footbridge-hq',
    ]) {
      await type(line);
    }
    const everybody = { in: walked.in + 3 * told, out: walked.out + told };
    await expect.poll(atHq, { timeout: 60_000 }).toEqual(everybody);
    await expect.poll(waiting, { timeout: 60_000 }).toMatchObject({ buffered: 0 });
    expect(await atHq()).toEqual(everybody);
  });

  test('keeps the buffer when the package is removed, and nothing when it is purged', async () => {
    await sh('apt-get -y remove footbridge footbridge-hq');
    expect(await sh('ls /var/lib/footbridge')).toContain('buffer.sqlite');
    await sh('apt-get -y purge footbridge footbridge-hq');
    const left = await sh(
      'find / -xdev -name "*footbridge*" -not -path "/root/*" -not -path "/var/lib/postgresql/*" -not -path "/var/log/*"',
    );
    expect(left).toBe('');
    expect(await sh('getent passwd')).not.toContain('footbridge');
    expect(await sh('getent group')).not.toContain('footbridge');
  });
});
