import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import type { ErrorBody } from '../../shared/wire/error-body.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  gzip,
  openHq,
  zone,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

/** A reading that nobody else sends: what it touched shows. */
const marked = { in: 7_777 };

describeOnEngines('through the front door, a gateway', (engine) => {
  let hq: Hq;
  let mine: TestStore;
  let gateway: TestGateway;
  let others: { store: TestStore; gateway: TestGateway }[];

  beforeAll(async () => {
    hq = await openHq(engine);
    mine = await addTestStore(hq);
    const sibling = await addTestStore(hq, { organization: mine.organization });
    const foreign = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, mine);
    others = [];
    for (const store of [sibling, foreign]) {
      const other = await enrollTestGateway(hq, store);
      await other.send(batch(other, [count(1), zone(2)]));
      others.push({ store, gateway: other });
    }
  });
  afterAll(() => hq.close());

  /** Everything that stands under the other stores, as text. */
  const theirs = async () => {
    const stores = others.map(({ store }) => store.store_id);
    const found: object[] = [];
    for (const table of [
      'people_counting_raw',
      'regional_counting_raw',
      'sensor_metadata',
      'app.sensor_latest',
      'app.ingest_batches',
      'app.gateway_epochs',
      'app.gateway_losses',
    ]) {
      const rows = await hq.asOwner<object>(
        `select '${table}' as relation, r::text as row from ${table} r
         where r.store_id = any ($1::uuid[]) order by 2`,
        [stores],
      );
      found.push(...rows);
    }
    return found;
  };

  it('writes for its own store', async () => {
    const { status, body } = await gateway.send(batch(gateway, [count(1, marked)]));
    expect([status, body.accepted]).toEqual([200, 1]);
  });

  it.each([
    ['names their store in the batch', (id: string) => ({ store_id: id })],
    ['names their store as columns', (id: string) => ({ store: [id], organization: [id] })],
  ])('changes nothing of others when it %s', async (_, forge) => {
    const before = await theirs();
    for (const { store } of others) {
      const forged = {
        ...batch(gateway, [count(40, marked)]),
        ...forge(store.store_id),
        organization_id: store.organization.id,
      };
      await gateway.send(gzip(forged), {
        'x-store-id': store.store_id,
        'x-organization-id': store.organization.id,
      });
    }
    expect(await theirs()).toEqual(before);
  });

  it('changes nothing of others with their epoch, batch and sequences', async () => {
    const before = await theirs();
    for (const { gateway: other } of others) {
      const theirBatches = await hq.asOwner<{ batch_id: string }>(
        'select batch_id from app.ingest_batches where gateway_id = $1',
        [other.gateway_id],
      );
      for (const { batch_id } of theirBatches) {
        await gateway.send(
          batch(other, [count(1, marked), zone(2, { occupancy: 99 })], { batch_id }),
        );
      }
    }
    expect(await theirs()).toEqual(before);
    const planted = await hq.asOwner(
      'select from people_counting_raw where in_count = $1 and store_id <> $2',
      [marked.in, mine.store_id],
    );
    expect(planted).toEqual([]);
  });

  it('is nobody with the credential of another and a secret of its own, or cut short', async () => {
    const secret = gateway.authorization.split('_').at(-1) ?? '';
    for (const { gateway: other } of others) {
      for (const authorization of [
        `Bearer fbg_${other.credential_id}_${secret}`,
        `Bearer fbg_${other.credential_id}_`,
        `Bearer fbg_${randomUUID()}_${secret}`,
        other.authorization.slice(0, -1),
        other.authorization.toLowerCase(),
        `${other.authorization}' or true --`,
      ]) {
        const { status } = await gateway.send(batch(gateway, [count(50)]), { authorization });
        expect([authorization.length, status]).toEqual([authorization.length, 401]);
      }
    }
  });

  it('is no reader of reports', async () => {
    const response = await fetch(`${hq.url}/v1/reports/stores`, {
      headers: { authorization: gateway.authorization },
    });
    expect([response.status, ((await response.json()) as ErrorBody).error.code]).toEqual([
      401,
      'key_missing',
    ]);
  });

  it('writes nothing past its revocation', async () => {
    const late = await enrollTestGateway(hq, mine);
    expect((await late.send(batch(late, [count(60)]))).status).toBe(200);
    await revokeGateway(hq.db, mine.organization, late.gateway_id);
    const written = () =>
      hq.asOwner('select from people_counting_raw where gateway_id = $1', [late.gateway_id]);
    const before = await written();
    const now = Date.now();
    const heartbeat = {
      ...{ version: '1', epoch: late.epoch, sent_at: now, delivered_at: now, buffered: 0 },
      ...{ oldest_unsent_at: null, durability: 'fsync', sensors: [], sources: [], quarantined: [] },
    };
    const { authorization } = late;
    expect((await late.send(batch(late, [count(61)]))).status).toBe(401);
    expect((await hq.post('/v1/heartbeats', heartbeat, { authorization })).status).toBe(401);
    expect(await written()).toEqual(before);
  });
});
