import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import { expect, test, vi } from 'vitest';
import { askDaemon } from '../../gateway/local/local-client.ts';
import type { WalkTestStatus } from '../../gateway/local/walk-tests.ts';
import { CommissioningLoop } from '../../gateway/sync/commissioning-loop.ts';
import { CommissioningOutbox } from '../../gateway/sync/commissioning-outbox.ts';
import { HqClient } from '../../gateway/sync/hq-client.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { CommissioningRecord } from '../../shared/wire/commissioning.ts';
import { eventually } from '../support/frames.ts';
import { command, type Finished } from '../support/process.ts';
import { crossing, newStore, run, type Store, sensorClient } from '../support/store.ts';
import { terminal } from '../support/terminal.ts';
import { Workspace } from '../support/workspace.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const workspace = new Workspace();
let crossings = 0;

interface At {
  readonly store: Store;
  readonly client: MqttClient;
}

async function store(): Promise<At> {
  const store = await newStore(workspace);
  await run(workspace, store);
  const options = ['--profile', 'json-crossing', '--topic', 'door'];
  await command('footbridge', ...store.of, 'sensor', 'pair', 'door', ...options);
  return { store, client: await sensorClient(workspace, store) };
}

const underWay = async (store: Store) =>
  (await askDaemon<{ test: WalkTestStatus | null }>(store.socket, 'GET', '/walk-test')).test;

async function walk(client: MqttClient, ...ways: ('in' | 'out')[]): Promise<void> {
  for (const way of ways) await client.publishAsync('door', crossing(crossings++, way), { qos: 1 });
}

/** Begins a walk test, walks, and waits for what the command says. */
async function walkTest(
  { store, client }: At,
  ways: ('in' | 'out')[],
  ...options: string[]
): Promise<Finished> {
  const ended = command('footbridge', ...store.of, 'sensor', 'walk-test', 'door', ...options);
  while ((await underWay(store)) === null) await systemClock.sleep(20);
  await walk(client, ...ways);
  return ended;
}

const evidence = (store: Store): CommissioningRecord[] =>
  readdirSync(join(store.folder, 'data/commissioning')).map(
    (name) =>
      JSON.parse(readFileSync(join(store.folder, 'data/commissioning', name), 'utf8')).record,
  );

test('walking in twice and out once passes, and stands as evidence', async () => {
  const at = await store();
  const { code, stdout } = await walkTest(at, ['in', 'in', 'out'], '--who', 'M. Ruiz');
  expect(stdout).toContain('PASSED: in 2 of 2, out 1 of 1.');
  expect(stdout).toContain(`footbridge --config ${at.store.of[1]} doctor`);
  expect(code).toBe(0);
  expect(evidence(at.store)).toMatchObject([
    {
      kind: 'walk_test',
      sensor_id: 'door',
      who: 'M. Ruiz',
      counted_in: 2,
      counted_out: 1,
      verdict: 'pass',
    },
  ]);
});

test('a swapped direction is named, exchanged when wanted, and passes the second time', async () => {
  const at = await store();
  const first = await walkTest(at, ['out', 'out', 'in'], '--swap');
  expect(first.code).toBe(1);
  expect(first.stdout).toContain('SWAPPED');
  const second = await walkTest(at, ['out', 'out', 'in']);
  expect(second.stdout).toContain('PASSED: in 2 of 2, out 1 of 1.');
  expect(evidence(at.store).map(({ verdict, direction }) => [verdict, direction])).toEqual([
    ['swapped', 'as-is'],
    ['pass', 'swapped'],
  ]);
});

test('a person on a terminal sees the counts and is asked about the swap', async () => {
  const { store: at, client } = await store();
  const shown = terminal(workspace, ...at.of, 'sensor', 'walk-test', 'door');
  await shown.until('in 0   out 0');
  await walk(client, 'out', 'out');
  await shown.until('in 0   out 2');
  await walk(client, 'in');
  await shown.until('Exchange them now?');
  shown.type('y\r');
  expect(await shown.ended).toBe(1);
  expect(shown.shown()).toContain('In and out are exchanged from now on');
  expect(await askDaemon(at.socket, 'GET', '/sensors/door')).toMatchObject({
    direction: 'swapped',
  });
});

test('a sensor that counts somebody more, or nobody, fails', async () => {
  const at = await store();
  const more = await walkTest(at, ['in', 'in', 'in', 'out'], '--json');
  expect(JSON.parse(more.stdout)).toMatchObject({ verdict: 'miscounted', counted_in: 3 });
  const nobody = await walkTest(at, [], '--for', '1');
  expect(nobody.stdout).toContain('FAILED: in 0 of 2, out 0 of 1.');
  expect(nobody.code).toBe(1);
});

test('an audit compares with a count by hand, each way apart', async () => {
  const { store: at, client } = await store();
  const audit = (...options: string[]) =>
    command('footbridge', ...at.of, 'sensor', 'audit', 'door', ...options);
  expect((await audit('--start')).stdout).toContain('--in … --out …');
  await walk(client, ...Array<'in'>(120).fill('in'), ...Array<'out'>(101).fill('out'));
  const { code, stdout } = await audit('--in', '121', '--out', '110', '--json');
  expect(code).toBe(1);
  const { accuracy, verdict } = JSON.parse(stdout);
  expect(verdict).toBe('miscounted');
  expect(accuracy.in).toBeCloseTo(0.9917, 4);
  expect(accuracy.out).toBeCloseTo(0.9182, 4);
  const ended = await audit('--in', '1', '--out', '1');
  expect(ended.stderr).toContain('no audit of door is under way');
});

test('a walk that could not show a swap is refused, and so is a zone', async () => {
  const { store: at } = await store();
  const walk = (id: string, ...options: string[]) =>
    command('footbridge', ...at.of, 'sensor', 'walk-test', id, ...options);
  expect((await walk('door', '--in', '1')).code).toBe(2);
  const options = ['--profile', 'json-zone', '--topic', 'zone'];
  await command('footbridge', ...at.of, 'sensor', 'pair', 'queue', ...options);
  expect((await walk('queue')).stderr).toContain('in a zone');
  expect((await walk('nobody')).stderr).toContain('sensor_unknown');
});

const record: CommissioningRecord = {
  record_id: systemClock.uuid(),
  kind: 'walk_test',
  sensor_id: 'door',
  who: 'mar',
  profile: 'json-crossing',
  direction: 'as-is',
  started_at: 1,
  ended_at: 2,
  expected_in: 2,
  expected_out: 1,
  counted_in: 2,
  counted_out: 1,
  verdict: 'pass',
};
const gateway_id = '018f0000-0000-7000-8000-000000000001';

test('evidence outlives cut lines, proxies and lost answers; a refused one does not hold up the next', async () => {
  const heard: string[] = [];
  const error = { error: { code: 'body_malformed', message: 'no', hint: 'no' } };
  const answers: ((answer: ServerResponse, record_id: string) => void)[] = [
    (answer) => answer.destroy(),
    (answer) => answer.writeHead(400).end('<html>a proxy</html>'),
    (answer) => answer.writeHead(200).end('{}'),
    (answer, record_id) => answer.end(JSON.stringify({ record_id, stored: 'known' })),
    (answer) => answer.writeHead(400).end(JSON.stringify(error)),
    (answer, record_id) => answer.end(JSON.stringify({ record_id, stored: 'new' })),
  ];
  const server = createServer(async (request, answer) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { record_id } = JSON.parse(body) as CommissioningRecord;
    heard.push(record_id);
    answers.shift()?.(answer, record_id);
  }).listen(0, '127.0.0.1');
  workspace.onEnd(() => server.close());
  const folder = join(workspace.folder(), 'commissioning');
  const outbox = new CommissioningOutbox(folder);
  const ids = [systemClock.uuid(), systemClock.uuid(), systemClock.uuid()].sort();
  outbox.keep({ ...record, record_id: ids[0] ?? '' }, gateway_id);
  while (server.address() === null) await systemClock.sleep(5);
  const { port } = server.address() as AddressInfo;
  const hq_url = `http://127.0.0.1:${port}`;
  const loop = new CommissioningLoop({
    outbox,
    client: new HqClient(hq_url, systemClock),
    credential: {
      hq_url,
      gateway_id,
      credential_id: gateway_id,
      secret: 's',
      organization: 'acme',
      store: 'mad-1',
      timezone: 'Europe/Madrid',
    },
    retry_max_ms: 20,
    clock: systemClock,
    log: silentLog,
  });
  loop.start();
  workspace.onEnd(() => loop.stop());
  await eventually('the first is delivered', () => outbox.waiting === 0);
  for (const record_id of ids.slice(1)) outbox.keep({ ...record, record_id }, gateway_id);
  await eventually('all are settled', () => outbox.waiting === 0);
  expect(heard).toEqual([ids[0], ids[0], ids[0], ids[0], ids[1], ids[2]]);
  expect(readdirSync(folder).sort()).toEqual(
    [`${ids[0]}.delivered.json`, `${ids[1]}.refused.json`, `${ids[2]}.delivered.json`].sort(),
  );
});

test('evidence of one store is never sent under the name of another', () => {
  const outbox = new CommissioningOutbox(join(workspace.folder(), 'commissioning'));
  outbox.keep(record, gateway_id);
  expect(outbox.next('018f0000-0000-7000-8000-000000000002')).toBeUndefined();
  expect(outbox.next(gateway_id)).toEqual(record);
});
