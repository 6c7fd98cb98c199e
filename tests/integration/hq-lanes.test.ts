/** Whoever else asks HQ, however many they are and however long it takes: counts come in. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { withClient } from '../../cloud-sync/db/pool.ts';
import { createApiKey } from '../../cloud-sync/tenants/api-keys.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  noon,
  openHq,
} from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';

vi.setConfig({ testTimeout: 30_000 });
/** More than HQ has connections. */
const many = 40;
let hq: Hq;
let store: TestStore;
let gateway: TestGateway;
let key: string;
beforeAll(async () => {
  hq = await openHq(anyEngine);
});
afterAll(() => hq.close());
beforeEach(async () => {
  store = await addTestStore(hq);
  gateway = await enrollTestGateway(hq, store);
  const as = `${randomUUID()}@example.org`;
  await addUser(hq.db, store.organization, { email: as, role: 'tenant_admin', stores: [] });
  const wanted = { name: 'bi', as, expires_at: undefined, now: new Date() };
  ({ key } = await createApiKey(hq.db, store.organization, wanted));
});

const enrol = () =>
  hq.post('/v1/enroll', {
    ...{ token: `fbt_${'x'.repeat(43)}`, secret_hash: 'ab'.repeat(32) },
    ...{ name: 'pc', version: '0.1.0' },
  });
const report = () =>
  fetch(`${hq.url}/v1/reports/days?store=${store.code}`, {
    headers: { authorization: `Bearer ${key}` },
  });
const commission = () => {
  const { authorization } = gateway;
  const record = {
    ...{ record_id: randomUUID(), kind: 'walk_test', sensor_id: 'front-door', who: 'Ana' },
    ...{ profile: 'json-total', direction: 'in', started_at: noon, ended_at: noon + 60_000 },
    ...{ expected_in: 3, expected_out: 3, counted_in: 3, counted_out: 3, verdict: 'pass' },
  };
  return hq.post('/v1/commissioning', record, { authorization });
};
const stranger = () => {
  const authorization = `Bearer fbg_${randomUUID()}_${'x'.repeat(43)}`;
  return hq.post('/v1/heartbeats', {}, { authorization });
};
const probe = () => fetch(`${hq.url}/readyz`);

test.each([
  ['newcomers', 'app.enroll_tokens', enrol, 403],
  ['readers of reports', 'public.daily_analytics', report, 200],
  ['walk tests', 'public.commissioning_records', commission, 200],
] as const)(
  '%s who all wait for a locked table hold up no count',
  async (_who, table, ask, status) => {
    const answers = await withClient(hq.owner_url, async (client) => {
      await client.query(`begin; lock table ${table} in access exclusive mode`);
      const asked = Array.from({ length: many }, () => ask());
      await expect(gateway.send(batch(gateway, [count(1)]))).resolves.toMatchObject({
        status: 200,
      });
      await client.query('rollback');
      return Promise.all(asked);
    });
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([status]));
  },
);

test.each([
  ['keys that nobody has', stranger, 401],
  ['a probe', probe, 200],
] as const)(
  '%s, asked hundreds of times at once, take one connection',
  async (_what, ask, status) => {
    const asked = Promise.allSettled(
      Array.from({ length: 300 }, async () => (await ask()).status),
    ).finally(() => {
      isOver = true;
    });
    let isOver = false;
    // HQ has not heard of this gateway since it started.
    const counted = gateway.send(batch(gateway, [count(1)]));
    const waiting: number[] = [];
    while (!isOver) {
      const text = await (await fetch(`${hq.url}/metrics`)).text();
      waiting.push(Number(/hq_database_connections\{state="waiting"\} (\d+)/.exec(text)?.[1]));
    }
    expect(Math.max(...waiting)).toBe(0);
    await expect(counted).resolves.toMatchObject({ status: 200 });
    const answers = (await asked).map((one) =>
      one.status === 'fulfilled' ? one.value : String(one.reason),
    );
    expect(new Set(answers)).toEqual(new Set([status]));
  },
);

test('a body that never ends is refused at its head, before anybody reads it', async () => {
  const authorization = `authorization: ${gateway.authorization}`;
  const unfinished = (...headers: string[]) => {
    const { hostname, port } = new URL(hq.url);
    const socket = connect(Number(port), hostname);
    const head = ['POST /v1/batches HTTP/1.1', 'host: hq', 'content-encoding: gzip', ...headers];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    sockets.push(socket);
    return socket;
  };
  const sockets: Socket[] = [];
  const answerTo = async (socket: Socket) => String((await once(socket, 'data'))[0]);
  const ten = 'content-length: 10';
  expect(await answerTo(unfinished(ten))).toMatch(/^HTTP\/1.1 401 /);
  expect(await answerTo(unfinished(authorization, 'content-length: 99999999'))).toMatch(
    /^HTTP\/1.1 413 /,
  );
  const backlog = [authorization, ten, 'footbridge-lane: backlog'];
  // As many as are let in, and they stay.
  for (let place = 0; place < 32; place += 1) unfinished(...backlog);
  await eventually(
    async () => await (await fetch(`${hq.url}/metrics`)).text(),
    (text) => text.includes('hq_requests_in_flight{lane="backlog"} 32'),
  );
  const refused = await answerTo(unfinished(...backlog));
  expect(refused).toMatch(/^HTTP\/1.1 429 /);
  expect(refused).toMatch(/retry-after: \d+\r\n/i);
  for (const socket of sockets) socket.destroy();
});
