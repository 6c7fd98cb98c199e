import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { expect, test } from 'vitest';
import type { QuarantineRow, QuarantineTotal } from '../../gateway/buffer/entry.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { command, end, freePort, jsonOf, listening, service } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

interface Store {
  readonly folder: string;
  readonly port: number;
  /** The options that name this store's configuration. */
  readonly of: readonly string[];
}

async function newStore(extra = ''): Promise<Store> {
  const folder = workspace.folder();
  const port = await freePort();
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `data_dir: ${folder}/data
sources:
  - { name: sensors, kind: mqtt-listen, host: 127.0.0.1, port: ${port} }
${extra}`,
  );
  return { folder, port, of: ['--config', config] };
}

async function run(store: Store): Promise<ChildProcess> {
  const gateway = service('footbridge', ...store.of, 'run');
  workspace.onEnd(() => end(gateway));
  await listening(store.port);
  return gateway;
}

async function sensorClient({ port }: Store): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: 'door',
    reconnectPeriod: 100,
  });
  workspace.onEnd(() => client.endAsync(true));
  return client;
}

const pairDoor = (store: Store) =>
  command(
    'footbridge',
    ...store.of,
    'sensor',
    'pair',
    'front-door',
    '--profile',
    'json-interval',
    '--topic',
    'door',
  );
const message = (i: number, people = 1) => {
  const from = Date.parse('2026-03-01T10:00:00Z') + i * 1000;
  const time = (ms: number) => new Date(ms).toISOString();
  return JSON.stringify({ id: i, from: time(from), to: time(from + 1000), in: people, out: 0 });
};
const status = (store: Store) => jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
const quarantine = (store: Store) =>
  jsonOf<{ totals: QuarantineTotal[]; rows: QuarantineRow[] }>(
    'footbridge',
    ...store.of,
    'buffer',
    'quarantine',
  );

test('every kind of rubbish stands in quarantine under its reason, and counting goes on', async () => {
  const store = await newStore();
  await run(store);
  await pairDoor(store);
  const client = await sensorClient(store);
  const rubbish: [string, string | Buffer][] = [
    ['nobody/home', message(1)],
    ['door', '{"id": 1, "from'],
    ['door', Buffer.alloc(1_000_000, 'x')],
    ['door', '{"id": 2, "in": -1, "out": 0}'],
    ['door', '{"id": 3}'],
  ];
  for (const [topic, payload] of rubbish) await client.publishAsync(topic, payload, { qos: 1 });
  await client.publishAsync('door', message(9), { qos: 1 });

  const { totals, rows } = await quarantine(store);
  expect(totals.map(({ reason, count }) => [reason, count])).toEqual([
    ['malformed', 1],
    ['too_large', 1],
    ['unknown_address', 1],
    ['value_invalid', 1],
    ['value_missing', 1],
  ]);
  expect(rows).toHaveLength(5);
  expect(rows.every((row) => row.detail !== '')).toBe(true);
  expect((await status(store)).buffer.buffered).toBe(1);
});

test('killed while messages flow, it has every acknowledged one and none twice', async () => {
  const store = await newStore();
  let gateway = await run(store);
  await pairDoor(store);
  const client = await sensorClient(store);
  let acknowledged = 0;
  for (let i = 0; i < 300; i += 1) {
    void client.publishAsync('door', message(i), { qos: 1 }).then(() => {
      acknowledged += 1;
    });
    if (i === 100 || i === 200) {
      await systemClock.sleep(15);
      await end(gateway, 'SIGKILL');
      gateway = await run(store);
    }
  }
  while (acknowledged < 300) await systemClock.sleep(20);
  expect((await status(store)).buffer.buffered).toBe(300);
}, 60_000);

test('a message sent again after a restart is known by its key', async () => {
  const store = await newStore();
  const first = await run(store);
  await pairDoor(store);
  const client = await sensorClient(store);
  await client.publishAsync('door', message(1), { qos: 1 });
  await end(first);
  await run(store);
  await client.publishAsync('door', message(1), { qos: 1 });
  const seen = await status(store);
  expect(seen.buffer.buffered).toBe(1);
  expect(seen.ignored).toEqual({ duplicate: 1 });
});

test('a configuration with four mistakes names all four with their lines, and exits 78', async () => {
  const folder = workspace.folder();
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `data_dir: ${folder}
report_interval_s: 5000
sources:
  - { name: sensors, kind: mqtt-listen, port: 99999 }
  - { name: sensors, kind: modbus-tcp, host: 10.0.0.7 }
log_levle: debug
`,
  );
  const { code, stderr } = await command('footbridge', '--config', config, 'check-config');
  expect(code).toBe(78);
  expect(stderr).toMatch(/footbridge\.yaml:2 {2}report_interval_s .*900.*5000/);
  expect(stderr).toMatch(/footbridge\.yaml:4 {2}sources\.0\.port .*65535.*99999/);
  expect(stderr).toMatch(/footbridge\.yaml:5 {2}sources\.1\.name .*repeats/);
  expect(stderr).toMatch(/footbridge\.yaml:6 {2}log_levle .*not a setting/);
  expect(stderr).toContain('Try: ');
});

test('text that is no YAML is named with its line', async () => {
  const config = join(workspace.folder(), 'footbridge.yaml');
  writeFileSync(config, 'data_dir: /tmp/x\nsources: [\n');
  const { code, stderr } = await command('footbridge', '--config', config, 'check-config');
  expect(code).toBe(78);
  expect(stderr).toMatch(/footbridge\.yaml:\d/);
});

test('a second gateway on the same data is refused and leaves the first alone', async () => {
  const store = await newStore();
  await run(store);
  const { code, stderr } = await command('footbridge', ...store.of, 'run');
  expect(code).toBe(1);
  expect(stderr).toContain('already_running');
  expect((await status(store)).durability).toBe('fsync');
});

test('in eco mode a count waits up to five seconds for its commit, and status says so', async () => {
  const store = await newStore('buffer: { commit: eco }\n');
  await run(store);
  expect((await status(store)).durability).toBe('eco');
});

test('a sensor paired while nothing runs is counted when the gateway starts', async () => {
  const store = await newStore();
  expect((await pairDoor(store)).code).toBe(0);
  await run(store);
  const client = await sensorClient(store);
  await client.publishAsync('door', message(1), { qos: 1 });
  expect((await status(store)).sensors).toMatchObject([
    { sensor_id: 'front-door', address: 'door' },
  ]);
  expect((await status(store)).buffer.buffered).toBe(1);
});

test.each([
  ['an unknown profile', ['--profile', 'nope', '--topic', 't'], 1, 'json-interval'],
  ['a profile without its address', ['--profile', 'json-interval'], 1, '--topic'],
  ['a profile of another transport', ['--profile', 'hpc168', '--unit', '1'], 1, 'speaks serial'],
  [
    'an unknown source',
    ['--profile', 'json-interval', '--topic', 't', '--source', 'nope'],
    1,
    'sensors',
  ],
  ['a unit that is no number', ['--profile', 'hpc168', '--unit', 'one'], 2, 'whole number'],
])('pairing with %s says what is wrong', async (_what, options, exit, hint) => {
  const store = await newStore();
  const { code, stderr } = await command(
    'footbridge',
    ...store.of,
    'sensor',
    'pair',
    'x',
    ...options,
  );
  expect(code).toBe(exit);
  expect(stderr).toContain(hint);
});

test('a topic belongs to one sensor', async () => {
  const store = await newStore();
  await pairDoor(store);
  const { code, stderr } = await command(
    'footbridge',
    ...store.of,
    'sensor',
    'pair',
    'other',
    '--profile',
    'json-total',
    '--topic',
    'door',
  );
  expect(code).toBe(1);
  expect(stderr).toContain('front-door');
  const registry = JSON.parse(readFileSync(join(store.folder, 'data/sensors.json'), 'utf8'));
  expect(registry.sensors).toHaveLength(1);
});

test('doctor names the first thing to do and exits 1 while something is wrong', async () => {
  const store = await newStore();
  const stopped = await command('footbridge', ...store.of, 'doctor');
  expect(stopped.code).toBe(1);
  expect(stopped.stdout).toContain('footbridge run');
  await run(store);
  const { code, stdout } = await command('footbridge', ...store.of, 'doctor', '--json');
  expect(code).toBe(1);
  const { findings } = JSON.parse(stdout) as { findings: { check: string; result: string }[] };
  expect(findings).toContainEqual(expect.objectContaining({ check: 'enrolment', result: 'fault' }));
  expect(findings).toContainEqual(expect.objectContaining({ check: 'buffer', result: 'good' }));
});

test('an HQ that does not answer leaves the enrolment to try again, with the secret kept private', async () => {
  const store = await newStore();
  const token = `fbt_${'A'.repeat(43)}`;
  const hq = `http://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await command(
    'footbridge',
    ...store.of,
    'enroll',
    '--hq',
    hq,
    '--token',
    token,
  );
  expect(code).toBe(1);
  expect(stderr).toContain('hq_unreachable');
  const mode = statSync(join(store.folder, 'data/credential.json.secret')).mode & 0o777;
  expect(mode).toBe(0o600);
});

test('an unknown command exits 2 and points to --help', async () => {
  const { code, stderr } = await command('footbridge', 'cout');
  expect(code).toBe(2);
  expect(stderr).toContain('--help');
});
