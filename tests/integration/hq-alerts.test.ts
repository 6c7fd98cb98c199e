import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateAlerts } from '../../cloud-sync/health/alert-worker.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, enrollTestGateway, eventually, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { insertCounts } from '../support/store-traffic.ts';

const minute = 60_000;
const hour = 60 * minute;

function heartbeat(
  changes: Partial<Heartbeat> = {},
  last_seen_at: number | null = null,
): Heartbeat {
  return {
    version: '0.1.0',
    epoch: '018f0000-0000-7000-8000-000000000000',
    sent_at: Date.now(),
    buffered: 0,
    oldest_unsent_at: null,
    delivered_at: Date.now(),
    durability: 'fsync',
    sensors: [
      {
        sensor_id: 'front-door',
        name: 'Front door',
        profile: 'json-counter',
        kind: 'line',
        last_seen_at,
        silent_after_s: 600,
      },
    ],
    sources: [{ source: 'doors', state: 'running', error: null }],
    quarantined: [],
    ...changes,
  };
}

describeOnEngines('alerts', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  const alertsOf = (store: TestStore) =>
    hq.asOwner<{ alert_type: string; is_resolved: boolean }>(
      'select alert_type, is_resolved from alerts where store_id = $1 order by created_at, 1',
      [store.store_id],
    );
  /** A gateway whose heartbeats come when the test says, and rules that look when it says. */
  const place = async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const identity = {
      organization_id: store.organization.id,
      store_id: store.store_id,
      gateway_id: gateway.gateway_id,
      credential_id: gateway.credential_id,
    };
    return {
      store,
      gateway,
      beat: (at: number, last_seen_at: number | null, delivered_at = at) =>
        storeHeartbeat(hq.db, identity, heartbeat({ sent_at: at, delivered_at }, last_seen_at), at),
      look: (now: number) =>
        evaluateAlerts(hq.db, {
          organization_id: store.organization.id,
          now,
          watching_since: 0,
          heartbeat_grace_s: 180,
          traffic: true,
        }),
    };
  };
  const beatOver = (gateway: TestGateway, body: Heartbeat) =>
    hq.post<HeartbeatAnswer>('/v1/heartbeats', body, { authorization: gateway.authorization });

  it('are raised once for a gateway that falls silent, and resolved when it returns', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start);
    await look(start + minute);
    expect(await alertsOf(store)).toEqual([]);
    await look(start + 4 * minute);
    await Promise.all([look(start + 5 * minute), look(start + 5 * minute)]);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: false }]);
    await beat(start + 6 * minute, start + 6 * minute);
    await look(start + 6 * minute);
    await look(start + 7 * minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: true }]);
    await look(start + 20 * minute);
    expect(await alertsOf(store)).toHaveLength(2);
  });

  it('are raised once for a silent sensor, and resolved when it speaks', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    await beat(start + minute, start - 11 * minute);
    await look(start + minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: false }]);
    await beat(start + 2 * minute, start + 2 * minute);
    await look(start + 2 * minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: true }]);
  });

  it('judge a sensor by what its gateway has delivered, not by HQ’s clock', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start - 30 * minute, start - 25 * minute);
    await look(start);
    expect(await alertsOf(store)).toEqual([]);
  });

  it('show in what people read about a sensor', async () => {
    const { store, beat, look } = await place();
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

  it('stop for a sensor that was unpaired', async () => {
    const { store, gateway, beat, look } = await place();
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    await beatOver(gateway, heartbeat({ sensors: [] }));
    await look(start + minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: true }]);
  });

  it('are raised for a sensor that speaks but counts nobody where people usually pass', async () => {
    const { store, beat, look } = await place();
    const now = Math.floor(Date.now() / hour) * hour;
    await beat(now, now, now - 2 * hour);
    const alertTypes = async () => (await alertsOf(store)).map((one) => one.alert_type);
    // Thirty people in every hour of four weeks, the last of them two hours ago.
    await hq.asOwner(
      `insert into hourly_analytics (organization_id, store_id, sensor_id, start_time, end_time,
         local_date, local_hour, utc_offset_min, total_in, total_out, covered_s, readings, coverage)
       select $1, $2, 'front-door', h, h + interval '1 hour', h::date, 0, 0, 20, 10, 3600, 60, 1
       from generate_series($3::timestamptz - interval '29 days', $3, interval '1 hour') h`,
      [store.organization.id, store.store_id, new Date(now)],
    );
    const counted = (at: number) =>
      insertCounts(hq, store, [{ sensor_id: 'front-door', at: at - minute, in: 1 }]);
    await counted(now - 2 * hour);
    await beat(now, now, now - 2 * hour + 35 * minute);
    await look(now);
    expect(await alertTypes()).toEqual([]);
    await beat(now, now, now - 2 * hour + 45 * minute);
    await look(now);
    await look(now);
    expect(await alertTypes()).toEqual(['sensor_blind']);
    await counted(now);
    await beat(now, now);
    await look(now);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'sensor_blind', is_resolved: true }]);
  });

  it('are not raised for nobody on a day on which the store is closed', async () => {
    const { store, beat, look } = await place();
    const now = Math.floor(Date.now() / hour) * hour;
    await beat(now, now);
    await hq.asOwner(
      `insert into hourly_analytics (organization_id, store_id, sensor_id, start_time, end_time,
         local_date, local_hour, utc_offset_min, total_in, total_out, covered_s, readings, coverage)
       select $1, $2, 'front-door', h, h + interval '1 hour', h::date, 0, 0, 20, 10, 3600, 60, 1
       from generate_series($3::timestamptz - interval '29 days', $3, interval '1 hour') h`,
      [store.organization.id, store.store_id, new Date(now)],
    );
    await hq.asOwner('insert into store_closures values ($1, $2, $3, $4)', [
      store.organization.id,
      store.store_id,
      new Date(now - 48 * hour),
      new Date(now + 48 * hour),
    ]);
    await look(now);
    expect(await alertsOf(store)).toEqual([]);
  });

  it('are one for a gateway that is away with forty sensors', async () => {
    const { store, gateway, look } = await place();
    const start = Date.now();
    const sensors = Array.from({ length: 40 }, (_, i) => ({
      sensor_id: `door-${i}`,
      name: `Door ${i}`,
      profile: 'json-counter',
      kind: 'line' as const,
      last_seen_at: start,
      silent_after_s: 60,
    }));
    await beatOver(gateway, heartbeat({ sensors }));
    await look(start + 4 * minute);
    expect((await alertsOf(store)).map((one) => one.alert_type)).toEqual(['gateway_offline']);
  });

  it('come by themselves while HQ runs', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    await beatOver(gateway, heartbeat({}, Date.now() - 11 * minute));
    await eventually(
      () => alertsOf(store),
      (alerts) => alerts.length === 1,
    );
  });

  it('are not needed for losses: totals of each source and reason stand at HQ', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const epoch = randomUUID();
    const quarantined = (n: number) => [{ source: 'doors', reason: 'checksum', count: n }];
    await beatOver(gateway, heartbeat({ epoch, quarantined: quarantined(2) }));
    const answer = await beatOver(gateway, heartbeat({ epoch, quarantined: quarantined(5) }));
    expect(Math.abs(answer.body.server_time - Date.now())).toBeLessThan(5_000);
    const losses = await hq.asOwner(
      'select source, reason, count from app.gateway_losses where store_id = $1',
      [store.store_id],
    );
    expect(losses).toEqual([{ source: 'doors', reason: 'checksum', count: 5 }]);
  });

  it('refuses a heartbeat that is not one', async () => {
    const gateway = await enrollTestGateway(hq, await addTestStore(hq));
    const { status, body } = await beatOver(gateway, heartbeat({ buffered: -1 }));
    expect([status, body]).toMatchObject([400, { error: { code: 'body_malformed' } }]);
  });
});
