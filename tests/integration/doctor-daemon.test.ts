import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test, vi } from 'vitest';
import { DoctoredStore } from '../support/doctored-store.ts';
import { end } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';
import { clockAhead } from '../support/wrong-clock.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const door = { profile: 'json-crossing', topic: 'door' };

async function listener(): Promise<number> {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  return (server.address() as AddressInfo).port;
}

const crossing = (id: number) => ({ id, time: new Date().toISOString(), direction: 'in' });

test('a gateway that hangs', async () => {
  const store = await new DoctoredStore(workspace).listening();
  const gateway = await store.run();
  gateway.kill('SIGSTOP');
  await store.expectFirst('daemon_hangs', /no answer in 5 s/);
});

test('a page whose port another program has', async () => {
  const port = await listener();
  const store = new DoctoredStore(workspace).sensors(door).enrolled();
  await store.listening({}, { page: { port } });
  await store.run();
  await store.expectFirst('page_closed', new RegExp(`\\(process ${process.pid}\\) has it`));
});

test('a profile that was changed for the worse while the gateway runs', async () => {
  const store = new DoctoredStore(workspace).enrolled();
  const good = `transport: mqtt
codec: { kind: json }
mapping:
  measures: [{ target: in, path: in, semantics: cumulative, width: unbounded }]
`;
  store.profile('own', good).sensors({ profile: 'own', topic: 'door' });
  await store.listening();
  await store.run();
  await store.publish('door', { in: 1 });
  writeFileSync(join(store.profiles, 'own.yaml'), `name: own\ntitle: own\n${good}codecs: {}\n`);
  await store.expectFirst('profile_kept', /codecs/);
});

test('a device whose two accounts of the same people differ', async () => {
  const store = new DoctoredStore(workspace).enrolled(`http://127.0.0.1:${await listener()}`);
  store.profile(
    'twofold',
    `transport: mqtt
codec: { kind: json }
mapping:
  measures:
    - { target: in, path: now, semantics: delta }
    - { target: in, path: all, semantics: cumulative, width: unbounded, role: check }
  dedupe: [id]
`,
  );
  store.sensors({ profile: 'twofold', topic: 'door' });
  await store.listening();
  await store.run();
  // The message with the third person was lost on the way.
  await store.publish('door', { id: 1, now: 2, all: 2 }, { id: 3, now: 1, all: 4 });
  await store.expectFirst('accounts_differ', /1 times since start/);
});

test('a machine whose clock stands in the past', async () => {
  const store = await new DoctoredStore(workspace).sensors(door).enrolled().listening();
  const half_century_s = 50 * 365 * 24 * 60 * 60;
  const environment = clockAhead(workspace.folder(), -half_century_s);
  await store.run({ environment });
  await store.publish('door', crossing(1));
  await store.expectFirst('clock_not_set', /1 records wait for a date/, { environment });
});

test('readings that wait for an HQ that takes its time', async () => {
  const store = new DoctoredStore(workspace).sensors(door);
  store.enrolled(`http://127.0.0.1:${await listener()}`);
  await store.listening();
  const earlier = { environment: clockAhead(workspace.folder(), -30 * 60) };
  const gateway = await store.run(earlier);
  await store.publish('door', crossing(1));
  await end(gateway);
  await store.run();
  await store.expectFirst('backlog_old', /1 readings, the oldest for 30 min/);
});
