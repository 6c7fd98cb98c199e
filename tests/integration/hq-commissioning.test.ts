import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commissioningOf } from '../../cloud-sync/reports/commissioning.ts';
import { addUser, memberByEmail } from '../../cloud-sync/tenants/users.ts';
import type { CommissioningAnswer, CommissioningRecord } from '../../shared/wire/commissioning.ts';
import {
  addTestStore,
  enrollTestGateway,
  type Hq,
  openHq,
  type TestGateway,
  type TestStore,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

const now = Date.now();
const day = 24 * 60 * 60 * 1000;

function record(changes: Partial<CommissioningRecord> = {}): CommissioningRecord {
  return {
    record_id: randomUUID(),
    kind: 'walk_test',
    sensor_id: 'front-door',
    who: 'mar',
    profile: 'json-crossing',
    direction: 'as-is',
    started_at: now - 60_000,
    ended_at: now,
    expected_in: 2,
    expected_out: 1,
    counted_in: 2,
    counted_out: 1,
    verdict: 'pass',
    ...changes,
  };
}

describeOnEngines('commissioning', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());

  const send = (gateway: TestGateway, body: object) =>
    hq.post<CommissioningAnswer>('/v1/commissioning', body, {
      authorization: gateway.authorization,
    });
  const seenBy = async (store: TestStore, stores: readonly string[]) => {
    const email = `${randomUUID()}@example.com`;
    await addUser(hq.db, store.organization, { email, role: 'store_manager', stores });
    const { user_id } = await memberByEmail(hq.db, store.organization, email);
    return commissioningOf(hq.db, { user_id, organization_id: store.organization.id }, null);
  };

  it('stores a record once, whatever a repetition says', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const sent = record();
    expect((await send(gateway, sent)).body).toEqual({ record_id: sent.record_id, stored: 'new' });
    const again = await send(gateway, { ...sent, counted_in: 99 });
    expect(again.body).toEqual({ record_id: sent.record_id, stored: 'known' });
    expect(
      await hq.asOwner('select counted_in from public.commissioning_records where record_id = $1', [
        sent.record_id,
      ]),
    ).toEqual([{ counted_in: 2 }]);
  });

  it('takes store and tenant from the credential, and the same record id of another tenant as another', async () => {
    const [mine, theirs] = [await addTestStore(hq), await addTestStore(hq)];
    const sent = record();
    for (const store of [mine, theirs]) {
      const gateway = await enrollTestGateway(hq, store);
      const forged = { ...sent, store_id: mine.store_id, organization_id: mine.organization.id };
      expect((await send(gateway, forged)).body.stored).toBe('new');
    }
    expect(await seenBy(theirs, [theirs.code])).toMatchObject([{ store: theirs.code }]);
    expect(await seenBy(mine, [])).toEqual([]);
  });

  it('certifies by the last audit: a failed one takes it back, a quarter of a year ends it', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const audit = {
      kind: 'audit',
      expected_in: 120,
      expected_out: 100,
      counted_in: 117,
      counted_out: 99,
    } as const;
    const stage = async () => (await seenBy(store, [store.code]))[0];
    await send(gateway, record({ ended_at: now - 200 * day }));
    expect(await stage()).toMatchObject({ stage: 'tuned', who: 'mar', accuracy_in: null });
    await send(gateway, record({ ...audit, ended_at: now - 100 * day }));
    expect(await stage()).toMatchObject({ stage: 'expired' });
    await send(gateway, record({ ...audit, ended_at: now - 3 * day }));
    expect(await stage()).toMatchObject({
      stage: 'certified',
      audit_people: 220,
      accuracy_in: 0.975,
      accuracy_out: 0.99,
    });
    await send(gateway, record({ ...audit, verdict: 'too_few', ended_at: now - 2 * day }));
    expect(await stage()).toMatchObject({ stage: 'certified' });
    await send(gateway, record({ ...audit, verdict: 'miscounted', ended_at: now - day }));
    expect(await stage()).toMatchObject({ stage: 'tuned', audit_verdict: 'miscounted' });
  });

  it('refuses what is no record, and a gateway that was revoked', async () => {
    const gateway = await enrollTestGateway(hq, await addTestStore(hq));
    expect((await send(gateway, record({ counted_in: -1 }))).status).toBe(400);
    expect((await send(gateway, record({ who: 'a\0b' }))).status).toBe(400);
    await hq.asOwner('update app.gateways set revoked_at = now() where id = $1', [
      gateway.gateway_id,
    ]);
    expect((await send(gateway, record())).status).toBe(401);
  });
});
