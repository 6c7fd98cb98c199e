import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listLosses } from '../../cloud-sync/gateways/losses.ts';
import type { Hq } from '../support/hq.ts';
import { addTestStore, enrollTestGateway, eventually, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { alertsAt, beatOver, heartbeat, openWatchedStore } from '../support/watched-store.ts';

const minute = 60_000;

describeOnEngines('heartbeats', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  it('show in what people read about a sensor', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    const states: unknown[] = [];
    const state = async () => {
      const [row] = await hq.asOwner<{ health_status: string }>(
        'select health_status, is_online from latest_sensor_data where store_id = $1',
        [store.store_id],
      );
      states.push(row?.health_status);
    };
    await beat(start, null);
    await state();
    await beat(start, start);
    await state();
    await beat(start + 11 * minute, start);
    await look(start + 11 * minute);
    await state();
    await look(start + 20 * minute);
    await state();
    expect(states).toEqual(['unknown', 'healthy', 'silent', 'offline']);
  });

  it('raise alerts while HQ runs, with nobody asking', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    await beatOver(hq, gateway, heartbeat({}, Date.now() - 11 * minute));
    await eventually(
      () => alertsAt(hq, store),
      (alerts) => alerts.length === 1,
    );
    await eventually(
      async () => (await fetch(`${hq.url}/metrics`)).text(),
      (text) =>
        /^hq_alerts_firing\{severity="warning"\} [1-9]/m.test(text) &&
        /^hq_gateways\{state="online"\} [1-9]/m.test(text),
    );
  });

  it('leave the totals of what was lost at HQ, by source and reason', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const epoch = randomUUID();
    const quarantined = (n: number) => [{ source: 'doors', reason: 'checksum', count: n }];
    await beatOver(hq, gateway, heartbeat({ epoch, quarantined: quarantined(2) }));
    const answer = await beatOver(hq, gateway, heartbeat({ epoch, quarantined: quarantined(5) }));
    expect(Math.abs(answer.body.server_time - Date.now())).toBeLessThan(5_000);
    const other = await addTestStore(hq);
    const { gateway_id } = gateway;
    const listed = { store: store.code, gateway_id, epoch, source: 'doors', reason: 'checksum' };
    expect(await listLosses(hq.db, store.organization, store.code)).toMatchObject([
      { ...listed, count: 5 },
    ]);
    expect(await listLosses(hq.db, other.organization)).toEqual([]);
  });

  it('are refused when they are none', async () => {
    const gateway = await enrollTestGateway(hq, await addTestStore(hq));
    const { status, body } = await beatOver(hq, gateway, heartbeat({ buffered: -1 }));
    expect([status, body]).toMatchObject([400, { error: { code: 'body_malformed' } }]);
  });
});
