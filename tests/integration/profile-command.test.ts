import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, jsonOf } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const tried = (...parameters: string[]) =>
  jsonOf<{ frames: { outcome: string; readings: object[]; notes: string[] }[] }>(
    'footbridge',
    'profile',
    'test',
    ...parameters,
  );

test('two totals a minute apart show the people between them', async () => {
  const { frames } = await tried('json-total', '{"in": 10, "out": 7}', '{"in": 12, "out": 7}');
  expect(frames[0]).toMatchObject({
    readings: [],
    notes: ['sensor: baseline', 'sensor: baseline'],
  });
  expect(frames[1]).toMatchObject({ readings: [{ in: 2, out: 0 }] });
});

test('bytes may be pasted as the line shows them, with markers and checksum', async () => {
  const answer =
    '0230303031393331303030303030303041303030303030304630303030303030303030303030303030424403';
  const { frames } = await tried('hpc168', answer);
  expect(frames).toMatchObject([{ values: [{ in: 10, out: 15 }] }]);
});

test('a frame that would go to quarantine says why, and exits 1', async () => {
  const { code, stdout } = await command(
    'footbridge',
    'profile',
    'test',
    'json-total',
    '{"in": -1}',
  );
  expect(code).toBe(1);
  expect(stdout).toContain('value_invalid');
});

test('a device that is not built in needs a file and a vendor’s script, and no code', async () => {
  const folder = workspace.folder();
  writeFileSync(
    join(folder, 'codec.js'),
    'function decodeUplink(i) { return { data: { a: i.bytes[1], b: i.bytes[0] } }; }',
  );
  const profile = join(folder, 'door-radar.yaml');
  writeFileSync(
    profile,
    `name: door-radar
title: Door radar
transport: mqtt
unwrap: lorawan
ports: [3]
codec: { kind: script, file: codec.js }
mapping:
  measures:
    - { target: in, path: a, semantics: delta }
    - { target: out, path: b, semantics: delta }
`,
  );
  const uplink = { deduplicationId: 'x', deviceInfo: { devEui: 'ab' }, fPort: 3, data: 'AQI=' };
  const { frames } = await tried(profile, JSON.stringify(uplink));
  expect(frames).toMatchObject([{ readings: [{ in: 2, out: 1 }] }]);
});
