/** Whoever else asks HQ, however many they are and however long it takes: counts come in. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { withClient } from '../../cloud-sync/db/pool.ts';
import { createApiKey } from '../../cloud-sync/tenants/api-keys.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, enrollTestGateway, noon, openHq } from '../support/hq.ts';
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
  '%s, asked hundreds of times at once, leave connections for counts',
  async (_what, ask, status) => {
    const asked = Promise.all(Array.from({ length: 300 }, () => ask()));
    let isOver = false;
    asked.finally(() => {
      isOver = true;
    });
    const waiting: number[] = [];
    while (!isOver) {
      const text = await (await fetch(`${hq.url}/metrics`)).text();
      waiting.push(Number(/hq_database_connections\{state="waiting"\} (\d+)/.exec(text)?.[1]));
    }
    expect(Math.max(...waiting)).toBe(0);
    expect(new Set((await asked).map((answer) => answer.status))).toEqual(new Set([status]));
  },
);
