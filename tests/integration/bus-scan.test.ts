import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { GatewayStatus } from '../../gateway/status.ts';
import { root } from '../rules/sources.ts';
import { modbusUnits } from '../support/modbus-units.ts';
import { command, jsonOf } from '../support/process.ts';
import { newStore, run } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const workspace = new Workspace();

test('a scan finds the units that answer and are nobody’s, and leaves nothing in quarantine', async () => {
  const counter = Array.from({ length: 200 }, (_, i) => i + 7);
  const units_there = new Map([
    [1, counter],
    [3, counter],
    [4, [1]],
  ]);
  const bus = await modbusUnits(workspace, (unit) => units_there.get(unit));
  const store = await newStore(workspace, {
    sources: `  - { name: beams, kind: modbus-tcp, host: 127.0.0.1, port: ${bus.port} }`,
  });
  await run(workspace, store);
  const pair = ['sensor', 'pair', 'door', '--source', 'beams', '--profile', 'modbus-counter-16'];
  await command('footbridge', ...store.of, ...pair, '--unit', '1');
  const scan = ['sensor', 'discover', '--bus', 'beams', '--units', '1-4'];
  const { units } = await jsonOf<{ units: { unit: number; candidates: { profile: string }[] }[] }>(
    'footbridge',
    ...store.of,
    ...scan,
  );
  expect(units.map(({ unit }) => unit)).toEqual([3, 4]);
  expect(units[0]?.candidates.map(({ profile }) => profile)).toContain('modbus-counter-16');
  expect(units[1]?.candidates.map(({ profile }) => profile)).toEqual(['modbus-beam-16']);
  expect(bus.asked.filter((unit) => unit === 2)).toHaveLength(1);
  const seen = await jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
  expect(seen.buffer.quarantined).toEqual([]);
  const { stdout } = await command('footbridge', ...store.of, ...scan);
  expect(stdout).toContain(
    'sensor pair beams-3 --source beams --profile modbus-counter-16 --unit 3',
  );
  const unknown = await command(
    'footbridge',
    ...store.of,
    'sensor',
    'discover',
    '--bus',
    'sensors',
  );
  expect(unknown.stderr).toContain('known: beams');
});

test('sensors are read between the questions of a scan, and what they count is whole', async () => {
  let people = 0;
  const isAsked = (unit: number) => (unit === 1 ? [++people, 0, 0, 0] : undefined);
  const bus = await modbusUnits(workspace, isAsked);
  const store = await newStore(workspace, {
    sources: `  - { name: beams, kind: modbus-tcp, host: 127.0.0.1, port: ${bus.port} }\n`,
  });
  appendFileSync(join(store.folder, 'footbridge.yaml'), `profiles_dir: ${store.folder}/profiles\n`);
  const beam = readFileSync(join(root, 'gateway/profiles/built-in/modbus-beam-16.yaml'), 'utf8');
  const swift = beam.replace('modbus-beam-16', 'swift').replace(/every_ms: \d+/, 'every_ms: 50');
  mkdirSync(join(store.folder, 'profiles'));
  writeFileSync(join(store.folder, 'profiles/swift.yaml'), swift);
  await run(workspace, store);
  const pair = [
    'pair',
    'door',
    '--source',
    'beams',
    '--profile',
    'swift',
    '--unit',
    '1',
    '--direction',
    'in',
  ];
  await command('footbridge', ...store.of, 'sensor', ...pair);
  await command(
    'footbridge',
    ...store.of,
    'sensor',
    'discover',
    '--bus',
    'beams',
    '--units',
    '2-7',
  );
  const asked = bus.asked.slice(bus.asked.indexOf(1));
  expect(asked.filter((unit) => unit !== 1)).toEqual([2, 3, 4, 5, 6, 7]);
  // No two questions of the scan without the sensor between them.
  expect(asked.some((unit, i) => unit !== 1 && asked[i + 1] !== 1 && i + 1 < asked.length)).toBe(
    false,
  );
  const [shown, seen] = await Promise.all([
    jsonOf<{ counted: { in: number } }>('footbridge', ...store.of, 'sensor', 'show', 'door'),
    jsonOf<GatewayStatus>('footbridge', ...store.of, 'status'),
  ]);
  expect(shown.counted.in).toBeGreaterThan(5);
  expect(shown.counted.in).toBeLessThanOrEqual(people);
  expect(seen.sensors[0]?.notes).toEqual({ baseline: 1 });
  expect(seen.buffer.quarantined).toEqual([]);
});
