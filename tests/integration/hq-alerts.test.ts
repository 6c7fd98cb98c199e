import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listLosses } from '../../cloud-sync/gateways/losses.ts';
import {
  acknowledgeAlert,
  muteAlerts,
  unmuteAlerts,
} from '../../cloud-sync/health/answer-alerts.ts';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { alertsOf as alertsSeenBy } from '../../cloud-sync/reports/alerts.ts';
import type { Store } from '../../cloud-sync/tenants/stores.ts';
import { addMaintenance, setTradingHours } from '../../cloud-sync/tenants/trading-hours.ts';
import type { UserRole } from '../../cloud-sync/tenants/users.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, enrollTestGateway, eventually, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { insertCounts } from '../support/store-traffic.ts';

const madrid = (store: TestStore): Store => ({
  id: store.store_id,
  code: store.code,
  name: '',
  timezone: 'Europe/Madrid',
  created_at: new Date(0),
});
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
      beat: (
        at: number,
        last_seen_at: number | null,
        delivered_at = at,
        changes: Partial<Heartbeat> = {},
      ) => {
        const body = heartbeat({ sent_at: at, delivered_at, ...changes }, last_seen_at);
        return storeHeartbeat(hq.db, identity, body, at);
      },
      look: (now: number) =>
        evaluateAlerts(hq.db, {
          organization_id: store.organization.id,
          now,
          watching_since: 0,
          heartbeat_grace_s: 180,
          thorough: true,
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
    await beat(start + 11 * minute, start + 11 * minute);
    await look(start + 11 * minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: true }]);
    await look(start + 20 * minute);
    expect(await alertsOf(store)).toHaveLength(2);
  });

  it('are one for a line that comes and goes: it recovers for five minutes before it is over', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    const states: unknown[] = [];
    for (const [minutes, heard] of [
      [0, true],
      [4, false],
      [5, true],
      [9, false],
      [10, true],
      [14, true],
      [15, true],
    ] as const) {
      const at = start + minutes * minute;
      if (heard) await beat(at, at);
      await look(at);
      const rows = await hq.asOwner<{ state: string }>(
        'select state from alerts where store_id = $1',
        [store.store_id],
      );
      states.push(rows.map((row) => row.state).join());
    }
    expect(states).toEqual([
      '',
      'firing',
      'recovering',
      'firing',
      'recovering',
      'recovering',
      'resolved',
    ]);
  });

  it('are raised once for a silent sensor, and resolved when it speaks', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    await beat(start + minute, start - 11 * minute);
    await look(start + minute);
    expect(await alertsOf(store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: false }]);
    for (const minutes of [2, 7]) {
      await beat(start + minutes * minute, start + minutes * minute);
      await look(start + minutes * minute);
    }
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
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    for (const minutes of [1, 6]) {
      const at = start + minutes * minute;
      await beat(at, null, at, { sensors: [] });
      await look(at);
    }
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
    const later = async (minutes: number) => {
      const at = now - 2 * hour + minutes * minute;
      await beat(at, at);
      await look(at);
      await look(at);
    };
    await later(35);
    expect(await alertTypes()).toEqual([]);
    await later(45);
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

  it('call nobody about a silence that was over before it could be known', async () => {
    const { store, beat, look } = await place();
    const start = Date.now();
    await beat(start, start);
    await look(start + 4 * minute);
    // Back after six hours, with six hours to deliver: the sensor was silent in between.
    const back = start + 6 * hour;
    await beat(back, start + 10 * minute, start + 3 * hour);
    await look(back);
    await beat(back + 6 * minute, back, back);
    await look(back + 6 * minute);
    expect((await alertsOf(store)).map((one) => one.alert_type)).toEqual(['gateway_offline']);
    const pending = await hq.asOwner('select from app.alert_pending where organization_id = $1', [
      store.organization.id,
    ]);
    expect(pending).toEqual([]);
  });

  it('wait until a store opens that switches everything off at night', async () => {
    const { store, beat, look } = await place();
    const at = (time: string) => Date.parse(`2026-03-03T${time}:00+01:00`);
    await setTradingHours(hq.db, store.organization, madrid(store), [
      { weekday: 2, opens: '10:00', closes: '20:00' },
    ]);
    await beat(at('00:30'), at('00:30'));
    for (const time of ['04:00', '09:59', '10:03']) await look(at(time));
    expect(await alertsOf(store)).toEqual([]);
    await look(at('10:04'));
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: false }]);
    await look(at('20:30'));
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: false }]);
  });

  it('are not raised while somebody works on the store, nor for what was silent then', async () => {
    const { store, beat, look } = await place();
    const at = (time: string) => Date.parse(`2026-03-03T${time}:00+01:00`);
    const window = { from: '2026-03-03T10:00', until: '2026-03-03T12:00', reason: 'new door' };
    await addMaintenance(hq.db, store.organization, madrid(store), window);
    await beat(at('10:01'), at('10:01'));
    for (const time of ['11:00', '12:03']) await look(at(time));
    expect(await alertsOf(store)).toEqual([]);
    await look(at('12:04'));
    expect(await alertsOf(store)).toEqual([{ alert_type: 'gateway_offline', is_resolved: false }]);
  });

  describe('in the hands of people', () => {
    const person = async (store: TestStore, role: UserRole) => {
      const email = `${role}-${randomUUID()}@acme.example`;
      const { user_id } = await addUser(hq.db, store.organization, {
        email,
        role,
        stores: [store.code],
        regions: [],
      });
      return { email, user_id, organization_id: store.organization.id };
    };
    const offline = async () => {
      const { store, beat, look } = await place();
      const start = Date.now();
      await beat(start, start);
      await look(start + 4 * minute);
      return store;
    };

    it('are taken on once, in the name of whoever did', async () => {
      const store = await offline();
      const staff = await person(store, 'store_staff');
      const [alert] = await alertsSeenBy(hq.db, staff, true);
      const id = alert?.id ?? '';
      await acknowledgeAlert(hq.db, staff, { id, note: 'calling the provider' });
      await expect(acknowledgeAlert(hq.db, staff, { id, note: '' })).rejects.toMatchObject({
        code: 'already_exists',
      });
      expect(await alertsSeenBy(hq.db, await person(store, 'viewer'), true)).toMatchObject([
        { state: 'firing', acknowledged_by: staff.email, note: 'calling the provider' },
      ]);
    });

    it('are not taken on by who only looks, nor by who does not see them', async () => {
      const store = await offline();
      const viewer = await person(store, 'viewer');
      const [alert] = await alertsSeenBy(hq.db, viewer, true);
      const one = { id: alert?.id ?? '', note: '' };
      await expect(acknowledgeAlert(hq.db, viewer, one)).rejects.toMatchObject({
        code: 'role_insufficient',
      });
      const elsewhere = await person(
        await addTestStore(hq, { organization: store.organization }),
        'store_manager',
      );
      await expect(acknowledgeAlert(hq.db, elsewhere, one)).rejects.toMatchObject({
        code: 'alert_unknown',
      });
    });

    it('are muted by who answers for the store, and say until when', async () => {
      const store = await offline();
      const manager = await person(store, 'store_manager');
      const until = new Date(Date.now() + hour);
      const mute = { store: store.code, until, reason: 'works' };
      await expect(
        muteAlerts(hq.db, await person(store, 'store_staff'), mute),
      ).rejects.toMatchObject({ code: 'role_insufficient' });
      await muteAlerts(hq.db, manager, { ...mute, alert_type: 'sensor_blind' });
      expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: null }]);
      await muteAlerts(hq.db, manager, mute);
      expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: until }]);
      expect(await unmuteAlerts(hq.db, manager, store.code)).toBe(2);
      expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: null }]);
    });
  });

  it('come by themselves while HQ runs', async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    await beatOver(gateway, heartbeat({}, Date.now() - 11 * minute));
    await eventually(
      () => alertsOf(store),
      (alerts) => alerts.length === 1,
    );
    await eventually(
      async () => (await fetch(`${hq.url}/metrics`)).text(),
      (text) =>
        /^hq_alerts_firing\{severity="warning"\} [1-9]/m.test(text) &&
        /^hq_gateways\{state="online"\} [1-9]/m.test(text),
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
    const other = await addTestStore(hq);
    const { gateway_id } = gateway;
    const listed = { store: store.code, gateway_id, epoch, source: 'doors', reason: 'checksum' };
    expect(await listLosses(hq.db, store.organization, store.code)).toMatchObject([
      { ...listed, count: 5 },
    ]);
    expect(await listLosses(hq.db, other.organization)).toEqual([]);
  });

  it('refuses a heartbeat that is not one', async () => {
    const gateway = await enrollTestGateway(hq, await addTestStore(hq));
    const { status, body } = await beatOver(gateway, heartbeat({ buffered: -1 }));
    expect([status, body]).toMatchObject([400, { error: { code: 'body_malformed' } }]);
  });
});
