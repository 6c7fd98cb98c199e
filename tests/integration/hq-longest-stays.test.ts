/** The longest stay in a zone, from a gateway's buffer to HQ's table; and gateways that do not know it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { batchAnswerSchema } from '../../shared/wire/batch.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, batch, enrollTestGateway, noon, openHq, zone } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

describeOnEngines('what a zone says', (engine) => {
  let hq: Hq;
  let store: TestStore;
  let gateway: TestGateway;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());
  beforeEach(async () => {
    store = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, store);
  });

  const stays = () =>
    hq.asOwner(
      `select dwell_time, max_dwell_time from regional_counting_raw where store_id = $1
       order by gateway_sequence`,
      [store.store_id],
    );

  it('has its mean and its longest stay at HQ, where the device gave them', async () => {
    const sent = batch(gateway, [zone(1, { dwell_max_s: 519.934 }), zone(2), zone(3)]);
    expect(sent.zones.dwell_max_s).toEqual([519.934, null, null]);
    expect((await gateway.send(sent)).status).toBe(200);
    expect(await stays()).toEqual([
      { dwell_time: 12.5, max_dwell_time: 519.934 },
      { dwell_time: 12.5, max_dwell_time: null },
      { dwell_time: 12.5, max_dwell_time: null },
    ]);
  });

  it('is taken from a gateway that does not know of longest stays', async () => {
    const sent = batch(gateway, [zone(1)]);
    expect(sent.zones).not.toHaveProperty('dwell_max_s');
    expect((await gateway.send(sent)).status).toBe(200);
    expect(await stays()).toEqual([{ dwell_time: 12.5, max_dwell_time: null }]);
  });

  it('is the same reading when it comes again, and another one where the longest stay differs', async () => {
    await gateway.send(batch(gateway, [zone(1, { dwell_max_s: 40 })]));
    const again = async (dwell_max_s: number) => {
      const { body } = await gateway.send(batch(gateway, [zone(1, { dwell_max_s })]));
      const { duplicate, rejected } = batchAnswerSchema.parse(body);
      return [duplicate, rejected.map(({ code }) => code)];
    };
    expect(await again(40)).toEqual([1, []]);
    const other = batch(gateway, [zone(2, { dwell_max_s: 41, observed_at: noon + 60_000 })]);
    const { body } = await gateway.send(other);
    expect(batchAnswerSchema.parse(body).rejected).toMatchObject([{ code: 'reading_conflict' }]);
  });

  it('a sensor that said it is gone is so at HQ until it is back', async () => {
    const says = (offline_since: number | null | undefined) =>
      storeHeartbeat(
        hq.db,
        {
          organization_id: store.organization.id,
          store_id: store.store_id,
          gateway_id: gateway.gateway_id,
          credential_id: gateway.credential_id,
        },
        {
          version: '0.1.0',
          epoch: randomUUID(),
          sent_at: noon,
          buffered: 0,
          oldest_unsent_at: null,
          delivered_at: noon,
          durability: 'fsync',
          sensors: [
            {
              sensor_id: 'hall',
              name: 'Hall',
              profile: 'p',
              kind: 'zone',
              last_seen_at: noon,
              silent_after_s: 900,
              ...(offline_since === undefined ? {} : { offline_since }),
            },
          ],
          sources: [],
          quarantined: [],
        },
        noon,
      );
    const since = async () => {
      const [row] = await hq.asOwner<{ offline_since: Date | null }>(
        `select offline_since from sensor_metadata where store_id = $1`,
        [store.store_id],
      );
      return row?.offline_since?.getTime() ?? null;
    };
    await says(noon - 5_000);
    expect(await since()).toBe(noon - 5_000);
    await says(null);
    expect(await since()).toBeNull();
    await says(undefined);
    expect(await since()).toBeNull();
  });
});
