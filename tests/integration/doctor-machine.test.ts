import { chmodSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { root } from '../rules/sources.ts';
import { asOrdinaryUser, DoctoredStore } from '../support/doctored-store.ts';
import { end } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';
import { ForgetfulDisk } from '../torture/disk.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const newStore = () => new DoctoredStore(workspace);
const door = { profile: 'json-total', topic: 'door' };

test('a mistake in the configuration is named with its line', async () => {
  const store = newStore().writeConfig('send_interval_s: soon\n');
  await store.expectFirst('configuration_wrong', /footbridge\.yaml:1 {2}send_interval_s/);
});

test('a profile of the site with a mistake is named with its field', async () => {
  const store = await newStore().profile('own', 'transport: pigeon\n').listening();
  await store.expectFirst('profile_broken', /own\.yaml:1 {2}codec/);
});

test('one id twice in the list of sensors', async () => {
  const store = await newStore()
    .sensors({ ...door, sensor_id: 'a' }, { ...door, sensor_id: 'a', topic: 'other' })
    .listening();
  await store.expectFirst('pairing_duplicate', /a stands there twice/);
});

test('one address twice in the list of sensors', async () => {
  const store = await newStore().sensors(door, door).listening();
  await store.expectFirst('pairing_duplicate', /sensors door belongs to door-1/);
});

test('two sources on one serial line', async () => {
  const line = { kind: 'modbus-rtu', path: '/dev/serial/by-id/usb-1' };
  const sources = [
    { ...line, name: 'one' },
    { ...line, name: 'two' },
  ];
  await newStore()
    .configure({ sources })
    .expectFirst('source_duplicate', /one and two: \/dev\/serial/);
});

test('a gateway that does not run', async () => {
  const store = await newStore().listening();
  await store.expectFirst('daemon_stopped', /footbridge\.sock/);
});

test('a data directory that the account may not use', async () => {
  const store = await newStore().listening();
  chmodSync(store.data, 0o500);
  workspace.onEnd(() => chmodSync(store.data, 0o700));
  await store.run(asOrdinaryUser);
  await store.expectFirst('data_forbidden', /EACCES/, asOrdinaryUser);
});

test('a socket that the account may not open', async () => {
  const store = await newStore().listening();
  await store.run();
  chmodSync(join(store.data, 'footbridge.sock'), 0o000);
  await store.expectFirst('socket_forbidden', /EACCES/, asOrdinaryUser);
});

test('a gateway that was killed three times', async () => {
  const store = await newStore().listening();
  for (let i = 0; i < 3; i += 1) {
    const gateway = await store.run();
    await end(gateway, 'SIGKILL');
    rmSync(join(store.data, 'footbridge.sock'));
  }
  await store.run();
  await store.expectFirst('restarts', /3 times within a day/);
});

test('a version that was installed and not started', async () => {
  const store = await newStore().sensors(door).enrolled().listening();
  const other = workspace.folder();
  for (const part of ['dist/gateway', 'dist/shared']) {
    cpSync(join(root, part), join(other, part), { recursive: true });
  }
  symlinkSync(join(root, 'gateway'), join(other, 'gateway'));
  symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'));
  writeFileSync(join(other, 'package.json'), '{"version": "0.0.9", "type": "module"}');
  await store.run({ entry: join(other, 'dist/gateway/cli/footbridge.js') });
  await store.expectFirst('version_stale', /0\.0\.9 runs/);
});

test('a disk that is full, and one that fails', async () => {
  const disk = new ForgetfulDisk(workspace.folder(), Math.random);
  workspace.onEnd(() => disk.close());
  const store = new DoctoredStore(workspace, { data: disk.folder }).sensors(door);
  await store.listening();
  await store.run({ environment: disk.environment });
  const client = await store.client();
  disk.become('full');
  client.publish('door', '{"in": 1, "out": 1}', { qos: 1 });
  await store.expectFirst('disk_full', /full/);
  disk.become('failing');
  await store.expectFirst('buffer_unwritable', /I\/O|IOERR/i);
});

test('a damaged buffer, before the gateway starts and after', async () => {
  const store = await newStore().sensors(door).enrolled().listening();
  writeFileSync(join(store.data, 'buffer.sqlite'), 'no database at all\n'.repeat(100));
  await store.expectFirst('buffer_broken', /not a database/);
  await store.run();
  await store.expectFirst('buffer_set_aside', /buffer\.sqlite\.damaged-\d+/);
});

test('a buffer of a newer version', async () => {
  const store = await newStore().listening();
  const newer = new Database(join(store.data, 'buffer.sqlite'));
  newer.pragma('user_version = 99');
  newer.close();
  await store.run();
  await store.expectFirst('buffer_newer', /schema 99/);
});

test('a data directory in memory', async () => {
  const data = mkdtempSync('/dev/shm/footbridge-test-');
  workspace.onEnd(() => rmSync(data, { recursive: true, force: true }));
  const store = new DoctoredStore(workspace, { data }).sensors(door).enrolled();
  await store.listening();
  await store.run();
  await store.expectFirst('disk_volatile', /tmpfs/);
});

test('a healthy gateway has nothing to say but good, and exits 0', async () => {
  const store = await newStore().sensors(door).enrolled().listening();
  await store.run();
  await store.publish('door', { in: 1, out: 0 });
  const { code, lines } = await store.doctor();
  expect(lines.filter((line) => line !== '' && !line.startsWith('good'))).toEqual([]);
  expect(code).toBe(0);
});
