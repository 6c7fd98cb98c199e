/** Devices that do not speak unasked, found by the running gateway; every command shown is typed as it stands. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { PolledCounter } from '../../demo/polled-counter.ts';
import { openPseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { startHpc168Line } from '../../demo/serial-sensor.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { modbusUnits } from '../support/modbus-units.ts';
import { command, end, entry, jsonOf } from '../support/process.ts';
import { openRtuLine, speedOf } from '../support/rtu-unit.ts';
import { crossing, newStore, run, type Store, sensorClient } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 90_000 });
const workspace = new Workspace();
const discover = (store: Store, ...words: string[]) =>
  command('footbridge', ...store.of, 'sensor', 'discover', ...words);

/** The command lines of an output, in their order. */
function shownIn(stdout: string): string[] {
  return stdout.match(/(?<=^ {2})(?:(?:npx )?footbridge|systemctl) .+$/gm) ?? [];
}

/** Types the lines into a shell; a restart is ours, not systemd's. */
async function typed(
  store: Store,
  lines: readonly string[],
  gateway: Awaited<ReturnType<typeof run>>,
) {
  for (const line of lines) {
    if (line === 'systemctl restart footbridge') {
      await end(gateway);
      await run(workspace, store);
      continue;
    }
    const words = line.replace(/^(npx )?footbridge/, `'${process.execPath}' '${entry.footbridge}'`);
    const { status, stderr } = spawnSync('sh', ['-c', words], { encoding: 'utf8' });
    expect([line, status, stderr]).toEqual([line, 0, '']);
  }
}

/** How the sensor stands in the status, once it was heard. */
async function heard(store: Store, sensor_id: string) {
  const look = async () => {
    const status = await jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
    return status.sensors.find(
      (each) => each.sensor_id === sensor_id && each.last_seen_at !== null,
    );
  };
  await vi.waitUntil(look, { timeout: 20_000, interval: 200 });
  return look();
}

test('a network is called for Modbus TCP; what is shown makes a source and a sensor of a device', async () => {
  const counter = Array.from({ length: 16 }, (_, i) => i);
  const there = { host: '127.0.0.3' };
  const { port } = await modbusUnits(
    workspace,
    (unit) => (unit === 1 ? counter : undefined),
    there,
  );
  const store = await newStore(workspace);
  const gateway = await run(workspace, store);
  const { stdout } = await discover(store, '--network', '127.0.0.2-9', '--port', `${port}`);
  expect(stdout).toMatch(new RegExp(`^127\\.0\\.0\\.3:${port}  answers Modbus$`, 'm'));
  expect(stdout).not.toMatch(/127\.0\.0\.[24-9]/);
  const lines = shownIn(stdout);
  expect(lines[0]).toContain('source add modbus-127-0-0-3 --kind modbus-tcp --host 127.0.0.3');
  const pair = lines.find((line) => line.endsWith('--profile modbus-counter-16 --unit 1')) ?? '';
  await typed(store, [...lines.slice(0, 2), pair], gateway);
  expect(await heard(store, 'modbus-127-0-0-3-1')).toMatchObject({ profile: 'modbus-counter-16' });
  expect(readFileSync(join(store.folder, 'footbridge.yaml'), 'utf8')).toContain('name: sensors');
  const again = await discover(store, '--network', '127.0.0.3', '--port', `${port}`);
  expect(again.stdout).toContain('is source modbus-127-0-0-3');
});

test('counts are acknowledged while a network is called', async () => {
  const store = await newStore(workspace);
  await run(workspace, store);
  const pair = ['pair', 'door', '--profile', 'json-crossing', '--topic', 'door'];
  await command('footbridge', ...store.of, 'sensor', ...pair);
  const client = await sensorClient(workspace, store);
  // Nobody listens on this port; the whole of the usual size is called.
  let isOver = false;
  const scan = discover(store, '--network', '127.0.1.0/24', '--port', '9').finally(() => {
    isOver = true;
  });
  let acknowledged = 0;
  for (; !isOver || acknowledged < 20; acknowledged += 1) {
    await client.publishAsync('door', crossing(acknowledged, 'in'), { qos: 1 });
  }
  expect((await scan).stdout).toContain('Nobody listens on port 9 of 127.0.1.0/24.');
  const { counted } = await jsonOf<{ counted: { in: number } }>(
    ...(['footbridge', ...store.of, 'sensor', 'show', 'door'] as const),
  );
  expect(counted.in).toBe(acknowledged);
});

test.each([
  ['8.8.8.0/28', /public.*\n.*--yes/],
  ['10.0.0.0/20', /4094 addresses.*\n.*--yes/],
  ['10.0.0.0/8', /at most 4096/],
])('%s is not called without a second word', async (range, why) => {
  const store = await newStore(workspace);
  const { code, stderr } = await discover(store, '--network', range);
  expect(code).toBe(2);
  expect(stderr).toMatch(why);
});

test('a serial port is asked at the speeds of the field, and its commands pair what answers', async () => {
  const line = openRtuLine((unit, _start, count) => {
    const isThere = unit === 2 && speedOf(line.path) === 19_200;
    return isThere ? Array.from({ length: count }, (_, i) => i) : null;
  });
  workspace.onEnd(() => line.terminal.close());
  const store = await newStore(workspace);
  const gateway = await run(workspace, store);
  const { stdout, stderr } = await discover(store, '--serial', line.path, '--units', '2');
  expect(stderr).toBe('');
  expect(stdout).toContain('answers as Modbus RTU at 19200 baud, parity none');
  const lines = shownIn(stdout);
  const pair = lines.find((each) => each.includes('modbus-counter-16')) ?? '';
  await typed(store, [...lines.slice(0, 2), pair], gateway);
  expect(await heard(store, 'line-2')).toMatchObject({ source: 'line' });
  const owned = await discover(store, '--serial', line.path);
  expect([owned.code, owned.stderr]).toEqual([1, expect.stringContaining('is source line')]);
});

test('a serial port is asked in the words of the devices that profiles know', async () => {
  const line = openPseudoTerminal();
  workspace.onEnd(() => line.close());
  const counter = new PolledCounter({
    bits: 32,
    start: { in: 5, out: 4 },
    clock: systemClock,
  });
  startHpc168Line(line, new Map([['0002', counter]]));
  const store = await newStore(workspace);
  const gateway = await run(workspace, store);
  const { stdout } = await discover(store, '--serial', line.path);
  expect(stdout).toContain('answers as hpc168');
  expect(stdout).toContain('sure: hpc168 reads in 5, out 4');
  await typed(store, shownIn(stdout), gateway);
  expect(await heard(store, 'line-2')).toMatchObject({ profile: 'hpc168', address: 'unit/2' });
});

test('a file that is no serial port is not written to', async () => {
  const store = await newStore(workspace);
  await run(workspace, store);
  const { code, stderr } = await discover(store, '--serial', join(store.folder, 'footbridge.yaml'));
  expect([code, stderr]).toEqual([2, expect.stringContaining('is no serial port')]);
});
