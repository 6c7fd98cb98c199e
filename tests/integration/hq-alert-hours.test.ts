import { afterAll, beforeAll, expect, it } from 'vitest';
import { addMaintenance, setTradingHours } from '../../cloud-sync/tenants/trading-hours.ts';
import type { Hq } from '../support/hq.ts';
import { openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { insertCounts } from '../support/store-traffic.ts';
import { alertsAt, inMadrid, openWatchedStore } from '../support/watched-store.ts';

const minute = 60_000;
const hour = 60 * minute;

describeOnEngines('alerts by the hours of a store', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  it('are raised for a sensor that speaks but counts nobody where people usually pass', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const now = Math.floor(Date.now() / hour) * hour;
    await beat(now, now, now - 2 * hour);
    const alertTypes = async () => (await alertsAt(hq, store)).map((one) => one.alert_type);
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
    expect(await alertsAt(hq, store)).toEqual([{ alert_type: 'sensor_blind', is_resolved: true }]);
  });

  it('are not raised for nobody on a day on which the store is closed', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
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
    expect(await alertsAt(hq, store)).toEqual([]);
  });

  it('wait until a store opens that switches everything off at night', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const at = (time: string) => Date.parse(`2026-03-03T${time}:00+01:00`);
    await setTradingHours(hq.db, store.organization, inMadrid(store), [
      { weekday: 2, opens: '10:00', closes: '20:00' },
    ]);
    await beat(at('00:30'), at('00:30'));
    for (const time of ['04:00', '09:59', '10:03']) await look(at(time));
    expect(await alertsAt(hq, store)).toEqual([]);
    await look(at('10:04'));
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'gateway_offline', is_resolved: false },
    ]);
    await look(at('20:30'));
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'gateway_offline', is_resolved: false },
    ]);
  });

  it('are not raised while somebody works on the store, nor for what was silent then', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const at = (time: string) => Date.parse(`2026-03-03T${time}:00+01:00`);
    const window = { from: '2026-03-03T10:00', until: '2026-03-03T12:00', reason: 'new door' };
    await addMaintenance(hq.db, store.organization, inMadrid(store), window);
    await beat(at('10:01'), at('10:01'));
    for (const time of ['11:00', '12:03']) await look(at(time));
    expect(await alertsAt(hq, store)).toEqual([]);
    await look(at('12:04'));
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'gateway_offline', is_resolved: false },
    ]);
  });
});
