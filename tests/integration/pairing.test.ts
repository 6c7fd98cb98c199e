import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { askDaemon } from '../../gateway/local/local-client.ts';
import type { Found } from '../../gateway/pairing/discovery.ts';
import { command, freePort, jsonOf, listening } from '../support/process.ts';
import { crossing, newStore, run, sensorClient } from '../support/store.ts';
import { terminal } from '../support/terminal.ts';
import { Workspace } from '../support/workspace.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const workspace = new Workspace();

test('discover names the profile of each device that speaks, and the command that pairs it', async () => {
  const push = await freePort();
  const store = await newStore(workspace, {
    sources: `  - { name: push, kind: http-listen, host: 127.0.0.1, port: ${push} }`,
  });
  await run(workspace, store);
  await listening(push);
  const client = await sensorClient(workspace, store);
  await client.publishAsync('counters/Main Door', crossing(1, 'in'), { qos: 1 });
  await client.publishAsync('building/climate', '{"battery": 97}', { qos: 1 });
  await fetch(`http://127.0.0.1:${push}/west`, { method: 'POST', body: '{"in": 15, "out": 12}' });

  const { devices } = await jsonOf<{ devices: Found[] }>(
    'footbridge',
    ...store.of,
    'sensor',
    'discover',
  );
  const told = devices.map(({ address, sensor_id, sureness, options }) => {
    return [address, sensor_id, sureness, options?.slice(2, 4) ?? null];
  });
  expect(told).toEqual([
    ['counters/Main Door', 'main-door', 'sure', ['--profile', 'json-crossing']],
    ['/west', 'west', 'likely', ['--profile', 'json-total']],
    ['building/climate', 'climate', 'unknown', null],
  ]);
  const { stdout } = await command('footbridge', ...store.of, 'sensor', 'discover', '--for', '0');
  expect(stdout).toContain(
    "sensor pair main-door --source sensors --profile json-crossing --topic 'counters/Main Door'",
  );
  for (const { sensor_id, options } of devices.filter((each) => each.options !== null)) {
    const pair = ['sensor', 'pair', sensor_id, ...(options ?? [])];
    expect((await command('footbridge', ...store.of, ...pair)).code).toBe(0);
  }
  const rest = await askDaemon<{ devices: Found[] }>(store.socket, 'GET', '/discovery');
  expect(rest.devices.map(({ address }) => address)).toEqual(['building/climate']);
});

test('a name that a shell or a terminal would act on does no harm', async () => {
  const store = await newStore(workspace);
  await run(workspace, store);
  const client = await sensorClient(workspace, store);
  await client.publishAsync("door'; rm -rf ~; '", crossing(1, 'in'), { qos: 1 });
  await client.publishAsync('door/\u001b]0;owned\u0007', crossing(2, 'in'), { qos: 1 });
  const { stdout } = await command('footbridge', ...store.of, 'sensor', 'discover', '--for', '0');
  expect(stdout).toContain(`--topic 'door'\\''; rm -rf ~; '\\'''`);
  expect(stdout).not.toContain('\u001b');
});

test('a person pairs by choosing, sees who walks, and proves it', async () => {
  const store = await newStore(workspace);
  await run(workspace, store);
  const client = await sensorClient(workspace, store);
  await client.publishAsync('door', crossing(1, 'in'), { qos: 1 });
  const shown = terminal(workspace, ...store.of, 'sensor', 'pair');
  await shown.until('Which device [1]');
  expect(shown.shown()).toContain('sensors door  sure: json-crossing');
  shown.type('7\r');
  await shown.until('type a number from 1 to 1');
  shown.type('\r');
  await shown.until('Name for programs [door]');
  shown.type('Front Door\r');
  await shown.until('use lower-case letters');
  shown.type('front-door\r');
  await shown.until('Name for people [front-door]');
  shown.type('Front door\r');
  await shown.until('paired front-door');
  await client.publishAsync('door', crossing(2, 'in'), { qos: 1 });
  await shown.until('in 1   out 0   walk through');
  shown.type('\r');
  await shown.until('Prove it with a walk test now?');
  shown.type('y\r');
  await shown.until(/walk in 2×, out 1×[\s\S]*in 0 {3}out 0 {3}\d+ s left/);
  for (const [i, way] of (['in', 'in', 'out'] as const).entries()) {
    await client.publishAsync('door', crossing(10 + i, way), { qos: 1 });
  }
  await shown.until('PASSED: in 2 of 2, out 1 of 1.');
  expect(await shown.ended).toBe(0);
  expect(await askDaemon(store.socket, 'GET', '/sensors/front-door')).toMatchObject({
    name: 'Front door',
    topic: 'door',
  });
});

test('in a script nothing is asked: what is missing is named', async () => {
  const store = await newStore(workspace);
  const pair = (...words: string[]) =>
    command('footbridge', ...store.of, 'sensor', 'pair', ...words);
  const nothing = await pair('--yes');
  expect(nothing.code).toBe(2);
  expect(nothing.stderr).toContain('the sensor’s id is missing');
  expect((await pair('door')).stderr).toContain('--profile is missing');
});

test('the same command again changes nothing, not even a direction that a walk test found', async () => {
  const store = await newStore(workspace);
  const pair = (...words: string[]) =>
    command(
      'footbridge',
      ...store.of,
      'sensor',
      'pair',
      'door',
      '--profile',
      'json-total',
      ...words,
    );
  const registry = () => readFileSync(join(store.folder, 'data/sensors.json'), 'utf8');
  await pair('--topic', 'a', '--name', 'Main door', '--direction', 'swapped');
  const before = registry();
  await pair('--topic', 'a');
  expect(registry()).toBe(before);
  await pair('--topic', 'b');
  expect(JSON.parse(registry()).sensors).toMatchObject([
    { name: 'Main door', topic: 'b', direction: 'as-is', replaced: 1 },
  ]);
});

test('a store is cloned by one file, without its logins, and the same file again changes nothing', async () => {
  const [first, second] = [await newStore(workspace), await newStore(workspace)];
  const pair = (id: string, ...words: string[]) =>
    command('footbridge', ...first.of, 'sensor', 'pair', id, '--profile', 'json-total', ...words);
  await pair('front-door', '--topic', 'a', '--direction', 'swapped', '--name', 'Front door');
  await pair('back-door', '--topic', 'b', '--login');
  await pair('back-door', '--topic', 'c');
  const exported = await command('footbridge', ...first.of, 'sensor', 'export');
  expect(exported.stdout).not.toContain('secret');
  const file = join(second.folder, 'sensors.json');
  writeFileSync(file, exported.stdout);

  await run(workspace, second);
  const bring = () => jsonOf('footbridge', ...second.of, 'sensor', 'import', file);
  expect(await bring()).toEqual({ sensors: 2, changed: ['front-door', 'back-door'] });
  expect(await bring()).toEqual({ sensors: 2, changed: [] });
  expect((await command('footbridge', ...second.of, 'sensor', 'export')).stdout).toBe(
    exported.stdout,
  );
  const shown = await command('footbridge', ...second.of, 'sensor', 'show', 'front-door');
  expect(shown.stdout).toMatch(/direction +swapped\n[\s\S]*counted +0 in, 0 out/);

  writeFileSync(file, '{"sensors": [{"sensor_id": "Door"}]}');
  const broken = await command('footbridge', ...second.of, 'sensor', 'import', file);
  expect(broken.code).toBe(2);
  expect(broken.stderr).toContain('sensors.0.sensor_id');
});
