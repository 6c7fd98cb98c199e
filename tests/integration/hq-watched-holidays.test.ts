import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { observeTraffic } from '../../cloud-sync/health/observe-traffic.ts';
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { addClosure, addHoliday } from '../../cloud-sync/tenants/trading-hours.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

const hour = 3_600_000;
const day = 24 * hour;
/** Noon of a Wednesday. */
const noon = Date.UTC(2026, 2, 4, 12);
const date = (at: number) => new Date(at).toISOString().slice(0, 10);

describeOnEngines('on holidays, the watch', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  /** A store with a gateway and a door; the gateway said that it has delivered up to `delivered`. */
  const place = async (delivered: number) => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    const ids = [store.organization.id, store.store_id];
    await hq.asOwner(
      `with g as (
         insert into app.gateways (organization_id, store_id, name, version, enrolled_at)
         values ($1, $2, 'pc', '1', to_timestamp($3::float8 / 1000) - interval '90 days') returning id
       ), state as (
         insert into app.gateway_state (organization_id, gateway_id, store_id, heartbeat_at, sent_at,
           delivered_at, version, epoch, buffered, durability, sources)
         select $1, id, $2, t, t, t, '1', gen_random_uuid(), 0, 'fsync', '[]'
         from g, to_timestamp($3::float8 / 1000) t
       )
       insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type, gateway_id,
         silent_after_s) select $1, $2, 'door', 'line', id, 600 from g`,
      [...ids, delivered],
    );
    return { store, named: await storeByCode(hq.db, store.organization, store.code) };
  };
  const trades = (store: TestStore, hours: string) =>
    hq.asOwner(
      `insert into store_hours select $1, $2, d, split_part($3, '-', 1)::time,
         split_part($3, '-', 2)::time from generate_series(1, 7) d`,
      [store.organization.id, store.store_id, hours],
    );
  /** Types of the alerts that fire at noon, when nothing has been heard for an hour. */
  const atNoon = async ({ organization }: TestStore) => {
    const look = { watching_since: 0, heartbeat_grace_s: 180, thorough: true };
    await evaluateAlerts(hq.db, { organization_id: organization.id, now: noon, ...look });
    const rows = await hq.asOwner<{ alert_type: string }>(
      `select alert_type from alerts where organization_id = $1 and state = 'firing'`,
      [organization.id],
    );
    return rows.map(({ alert_type }) => alert_type);
  };

  it.each([
    ['09:00-20:00', undefined, ['gateway_offline']],
    ['09:00-20:00', { opens: '14:00', closes: '18:00' }, []],
    ['14:00-20:00', { opens: '10:00', closes: '18:00' }, ['gateway_offline']],
    ['14:00-20:00', undefined, []],
  ])('knows that a store of %s trades on a day of %o', async (weekly, hours, alerts) => {
    const { store, named } = await place(noon - hour);
    await trades(store, weekly);
    await addHoliday(hq.db, store.organization, named, { date: date(noon), name: 'Day', hours });
    expect(await atNoon(store)).toEqual(alerts);
  });

  it('knows that a store around the clock has hours on such a day', async () => {
    const { store, named } = await place(noon - hour);
    const hours = { opens: '14:00', closes: '18:00' };
    await addHoliday(hq.db, store.organization, named, { date: date(noon), name: 'Day', hours });
    expect(await atNoon(store)).toEqual([]);
  });

  it('expects nobody in particular', async () => {
    const { store, named } = await place(noon);
    await countsBefore(store);
    expect(await usual(store)).toEqual([30, 30]);
    await addHoliday(hq.db, store.organization, named, { date: date(noon), name: 'Day' });
    expect(await usual(store)).toEqual([null, null]);
  });

  it('learns nothing from holidays and closures of before', async () => {
    const { store, named } = await place(noon);
    await countsBefore(store);
    for (const [weeks, name] of [
      [1, 'Day'],
      [2, 'Other day'],
    ] as const) {
      const on = date(noon - weeks * 7 * day);
      await hq.asOwner(
        'update hourly_analytics set total_in = 900 where store_id = $1 and local_date = $2',
        [store.store_id, on],
      );
      if (weeks === 1) await addHoliday(hq.db, store.organization, named, { date: on, name });
      else
        await addClosure(hq.db, store.organization, named, { from: on, until: on, reason: name });
    }
    expect(await usual(store)).toEqual([30, 30]);
  });

  /** Thirty people in each hour of the same weekday of five weeks. */
  const countsBefore = (store: TestStore) =>
    hq.asOwner(
      `insert into hourly_analytics (organization_id, store_id, sensor_id, start_time, end_time,
         local_date, local_hour, utc_offset_min, total_in, total_out, covered_s, readings, coverage)
       select $1, $2, 'door', h, h + interval '1 hour', h::date, 0, 0, 20, 10, 3600, 60, 1
       from generate_series(1, 5) week, generate_series(0, 23) k,
         lateral (select date_trunc('day', to_timestamp($3::float8 / 1000), 'UTC')
           - week * interval '7 days' + k * interval '1 hour' as h) x`,
      [store.organization.id, store.store_id, noon],
    );
  /** What usually passes in the last whole hour and the one before. */
  const usual = async ({ organization }: TestStore) => {
    const [traffic] = await hq.db.inTenant(
      { organization_id: organization.id },
      'app_health',
      (tx) => observeTraffic(tx, organization.id),
    );
    const hours = (traffic?.usual ?? []).toSorted((a, b) => a.start - b.start);
    return hours
      .filter(({ end }) => end <= noon)
      .slice(-2)
      .map(({ people }) => people);
  };
});
