import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { expect, test } from 'vitest';
import type { GatewayStatus } from '../../gateway/status.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { command, end, freePort, jsonOf, listening, service } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** People stand in `field`; each message has a number of its own. */
const profile = (field: string) => `name: door
title: A door
transport: mqtt
codec: { kind: json }
mapping:
  measures: [{ target: in, path: ${field}, semantics: event }]
  dedupe: [n]
`;

/** A running gateway whose sensor `door` is read by the site's profile `door`. */
async function store() {
  const folder = workspace.folder();
  const port = await freePort();
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `data_dir: ${folder}/data
profiles_dir: ${folder}/profiles
sources: [{ name: sensors, kind: mqtt-listen, host: 127.0.0.1, port: ${port} }]
`,
  );
  mkdirSync(join(folder, 'profiles'));
  const file = join(folder, 'profiles', 'door.yaml');
  writeFileSync(file, profile('a'));
  const of = ['--config', config];
  const gateway = service('footbridge', ...of, 'run');
  workspace.onEnd(() => end(gateway));
  await listening(port);
  await command('footbridge', ...of, 'sensor', 'pair', 'door', '--profile', 'door', '--topic', 'd');
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'd' });
  workspace.onEnd(() => client.endAsync(true));
  const status = () => jsonOf<GatewayStatus>('footbridge', ...of, 'status');
  let n = 0;
  return {
    file,
    of,
    status,
    /** Whether a message with this field counts. */
    counts: async (field: string) => {
      n += 1;
      const before = (await status()).buffer.buffered;
      await client.publishAsync('d', JSON.stringify({ n, [field]: 1 }), { qos: 1 });
      return (await status()).buffer.buffered > before;
    },
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.sleep(100);
}

test('a changed profile reads the next frame; a broken one changes nothing and is told', async () => {
  const { file, of, status, counts } = await store();
  expect(await counts('a')).toBe(true);

  writeFileSync(`${file}.new`, profile('b'));
  renameSync(`${file}.new`, file);
  await until(() => counts('b'));
  expect(await counts('a')).toBe(false);

  writeFileSync(file, profile('c').replace('semantics: event', 'semantics: often'));
  await until(async () => (await status()).profile_faults.length > 0);
  expect((await status()).profile_faults).toMatchObject([
    { profile: 'door', detail: expect.stringContaining('door.yaml:6') },
  ]);
  expect(await counts('b')).toBe(true);
  const { stdout } = await command('footbridge', ...of, 'doctor');
  expect(stdout).toContain('door.yaml:6');

  writeFileSync(file, profile('c'));
  await until(() => counts('c'));
  expect((await status()).profile_faults).toEqual([]);
}, 60_000);

test('a profile that does not fit its sensors, or is gone, is kept as it was', async () => {
  const { file, status, counts } = await store();
  writeFileSync(
    file,
    profile('a').replace('transport: mqtt', 'transport: modbus\nmodbus: { function: 3, count: 1 }'),
  );
  await until(async () => (await status()).profile_faults.length > 0);
  expect((await status()).profile_faults[0]?.detail).toContain('needs --unit');
  expect(await counts('a')).toBe(true);

  rmSync(file);
  await until(async () => (await status()).profile_faults[0]?.detail.includes('known: ') === true);
  expect(await counts('a')).toBe(true);
}, 60_000);
