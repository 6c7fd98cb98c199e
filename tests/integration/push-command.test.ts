import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SourceStatus } from '../../gateway/sources/source.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { command, end, freePort, jsonOf, listening, service } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

interface Store {
  readonly port: number;
  readonly data: string;
  readonly of: readonly string[];
}

async function newStore(): Promise<Store> {
  const folder = workspace.folder();
  const [port, dead] = [await freePort(), await freePort()];
  const config = join(folder, 'footbridge.yaml');
  const data = join(folder, 'data');
  writeFileSync(
    config,
    `data_dir: ${data}
sources:
  - { name: push, kind: http-listen, host: 127.0.0.1, port: ${port} }
  - { name: beams, kind: modbus-tcp, host: 127.0.0.1, port: ${dead} }
`,
  );
  return { port, data, of: ['--config', config] };
}

async function run(store: Store): Promise<ChildProcess> {
  const gateway = service('footbridge', ...store.of, 'run');
  workspace.onEnd(() => end(gateway));
  await listening(store.port);
  return gateway;
}

const pairDoor = ['sensor', 'pair', 'door', '--source', 'push', '--profile', 'json-total'];
const push = (store: Store, body: string, login?: { username: string; password: string }) =>
  fetch(`http://127.0.0.1:${store.port}/door`, {
    method: 'POST',
    body,
    headers: login ? { authorization: `Basic ${btoa(`${login.username}:${login.password}`)}` } : {},
  });

test('a door that pushes over HTTP under its own login is counted, and nobody else in its name', async () => {
  const store = await newStore();
  await run(store);
  const { login } = await jsonOf<{ login: { username: string; password: string } }>(
    'footbridge',
    ...store.of,
    ...pairDoor,
    '--path',
    '/door',
    '--login',
  );
  expect(login.username).toBe('door');
  expect(readFileSync(join(store.data, 'sensors.json'), 'utf8')).not.toContain(login.password);

  expect((await push(store, '{"in": 5, "out": 0}')).status).toBe(401);
  expect((await push(store, '{"in": 5, "out": 0}', login)).status).toBe(200);
  const { sensors, sources } = await jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
  expect(sensors[0]?.last_seen_at).not.toBeNull();
  expect(sources[0]).toMatchObject({ frames: 1, refused: 1 });

  const { stdout } = await command('footbridge', ...store.of, 'doctor');
  expect(stdout).toMatch(/WARNING {2}source push: .*1 times, the last .* at \/door/);
  expect(stdout).toContain('sensor pair --login');
});

test('a login outlives a change of the sensor', async () => {
  const store = await newStore();
  await run(store);
  const { login } = await jsonOf<{ login: { username: string; password: string } }>(
    'footbridge',
    ...store.of,
    ...pairDoor,
    '--path',
    '/old',
    '--login',
  );
  await command('footbridge', ...store.of, ...pairDoor, '--path', '/door');
  expect((await push(store, '{"in": 5, "out": 0}')).status).toBe(401);
  expect((await push(store, '{"in": 5, "out": 0}', login)).status).toBe(200);
});

test('a login where the source asks nobody for one is refused', async () => {
  const store = await newStore();
  const parameters = ['sensor', 'pair', 'beam', '--source', 'beams', '--profile'];
  const paired = await command(
    'footbridge',
    ...store.of,
    ...parameters,
    'modbus-counter-16',
    '--unit',
    '1',
    '--login',
  );
  expect(paired.code).toBe(1);
  expect(paired.stderr).toContain('asks nobody for a login');
});

interface Tested {
  readonly by: string;
  readonly status: SourceStatus;
}

test('source test opens a source alone, and says why it does not work', async () => {
  const store = await newStore();
  const good = await jsonOf<Tested>('footbridge', ...store.of, 'source', 'test', 'push', '--for=1');
  expect(good).toMatchObject({ by: 'test', status: { state: 'running', kind: 'http-listen' } });

  const bad = await command('footbridge', ...store.of, 'source', 'test', 'beams', '--for=1');
  expect(bad.code).toBe(1);
  expect(bad.stdout).toContain('ECONNREFUSED');

  const unknown = await command('footbridge', ...store.of, 'source', 'test', 'x');
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('known: push, beams');
});

test('source test acknowledges nothing: the sensor’s message is still its own', async () => {
  const store = await newStore();
  await command('footbridge', ...store.of, ...pairDoor, '--path', '/door');
  const tested = jsonOf<Tested & { frames: number }>(
    'footbridge',
    ...store.of,
    'source',
    'test',
    'push',
    '--for=2',
  );
  await listening(store.port);
  const answer = push(store, '{"in": 5, "out": 0}').then(
    ({ status }) => status,
    () => 'no answer',
  );
  expect((await tested).frames).toBe(1);
  expect(await answer).toBe('no answer');
});

test('source test watches the daemon that holds the source', async () => {
  const store = await newStore();
  await run(store);
  const tested = await jsonOf<Tested>(
    'footbridge',
    ...store.of,
    'source',
    'test',
    'push',
    '--for=1',
  );
  expect(tested).toMatchObject({ by: 'daemon', status: { state: 'running' } });
});

test('every kind of source is taken, and what is wrong with one is named with its line', async () => {
  const folder = workspace.folder();
  const config = join(folder, 'footbridge.yaml');
  const check = () => command('footbridge', '--config', config, 'check-config');
  const tls = '{ cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem }';
  const good = [
    `{ name: a, kind: mqtt-listen, tls: ${tls}, allow_anonymous: false, users: [{ username: s, password_file: p, topics: ["c/+"] }] }`,
    '{ name: b, kind: mqtt-connect, url: "mqtts://x:8883", topics: ["$share/g/c/#"], status_topic: s/1, tls: { ca_file: ca.pem } }',
    '{ name: c, kind: http-listen, device_id: "header:x-serial" }',
    '{ name: d, kind: modbus-rtu, path: /dev/serial/by-id/x, baud: 19200, parity: even }',
    '{ name: e, kind: modbus-rtu-tcp, host: 10.0.0.8, port: 4001 }',
  ];
  const bad = [
    '{ name: a, kind: mqtt-listen, tls: { cert_file: c.pem } }',
    '{ name: b, kind: mqtt-connect, url: "mqtt://x", topics: ["c/#/d"] }',
    '{ name: c, kind: http-listen, device_id: serial }',
    '{ name: d, kind: modbus-rtu, path: COM3 }',
    '{ name: e, kind: modbus-rtu-tcp, host: 10.0.0.8 }',
  ];
  const written = (lines: string[]) => ['sources:', ...lines.map((line) => `  - ${line}`), ''];
  writeFileSync(config, written(good).join('\n'));
  expect(await check()).toMatchObject({ code: 0 });
  writeFileSync(config, written(bad).join('\n'));
  const { code, stderr } = await check();
  expect(code).toBe(78);
  expect(stderr).toMatch(/yaml:2 {2}sources\.0\.tls\.key_file/);
  expect(stderr).toMatch(/yaml:3 {2}sources\.1\.topics\.0 .*stands for one whole level/);
  expect(stderr).toMatch(/yaml:4 {2}sources\.2\.device_id .*query:NAME/);
  expect(stderr).toMatch(/yaml:5 {2}sources\.3\.path .*by-id/);
  expect(stderr).toMatch(/yaml:6 {2}sources\.4\.port/);
});
