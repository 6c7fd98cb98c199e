import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { seedColumns } from '../support/seed-columns.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
/** Noon two days ago; the store's clock is UTC. */
const noon = Math.floor(Date.now() / day) * day - 2 * day + day / 2;

/** What nobody can know before tills report, and what a counting line never knows. */
const unknown = {
  transactions: null,
  conversion_rate: null,
  avg_transaction_value: null,
};

describeOnEngines('each column of the seed schema says', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(14, 3)');
  });
  afterAll(() => hq.close());

  /** Sixty come in the first half of the hour and fifty leave in the second; before, others came. */
  const traded = async (outside: string, passing: number): Promise<TestStore> => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    await addLine(hq, store, 'front-door');
    await addLine(hq, store, 'mall', { role: outside });
    const ids = [store.organization.id, store.store_id];
    await hq.asOwner(
      `insert into store_hours select $1, $2, d, '12:00', '13:00' from generate_series(1, 7) d`,
      ids,
    );
    const half = { sensor_id: 'front-door', interval_s: 1800 };
    const before = Object.entries({ 1: 50, 7: 40, 28: 30, 364: 80 }).flatMap(([days, people]) => {
      const at = noon - Number(days) * day;
      return [
        { ...half, at, in: people },
        { ...half, at: at + 30 * minute, in: 0 },
      ];
    });
    await insertCounts(hq, store, [
      { ...half, at: noon, in: 60 },
      { ...half, at: noon + 30 * minute, in: 0, out: 50 },
      { sensor_id: 'mall', at: noon, in: passing - 40, out: 40, interval_s: 3600 },
      ...before,
    ]);
    // One visit of a minute, one of nine.
    await hq.asOwner(
      `with sensor as (
         insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
         values ($1, $2, 'ceiling', 'zone') returning sensor_id
       ), zone as (
         insert into region_configurations (organization_id, store_id, sensor_id, region_id, name, type)
         select $1, $2, sensor_id, 'all', 'Store', 'store_visits' from sensor
       )
       insert into regional_counting_raw (organization_id, store_id, "timestamp", sensor_id,
         region_id, dwell_time, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, to_timestamp($3::float8 / 1000) + n * interval '1 minute', 'ceiling', 'all',
         dwell, 60, gen_random_uuid(), n, now()
       from unnest(array[60, 540]::real[]) with ordinality as v (dwell, n)`,
      [...ids, noon],
    );
    await rollEverything(hq.db);
    return store;
  };

  /** The seed's columns of one row, as a person of the store reads them; numbers as numbers. */
  const read = async (
    store: TestStore,
    table: 'hourly_analytics' | 'daily_analytics' | 'store_hourly',
    where: string,
    columns: readonly string[],
  ) => {
    const { user_id } = await addUser(hq.db, store.organization, {
      email: `${table}@${store.code}.example`,
      role: 'store_manager',
      stores: [store.code],
    });
    const claims = { sub: user_id, organization_id: store.organization.id };
    const list = columns.map((column) => `'${column}', t.${column}`).join(', ');
    const rows = await hq.db.inTenant({ claims }, 'authenticated', ({ query }) =>
      query<{ row: Record<string, unknown> }>(
        `select json_build_object(${list}) as row from ${table} t where ${where}`,
      ),
    );
    expect(rows).toHaveLength(1);
    return rows[0]?.row;
  };

  it.each([
    ['outside', 200],
    ['outside_passing', 140],
  ])('its hour, with the traffic of a sensor that is %s', async (role, passing) => {
    const store = await traded(role, passing);
    const columns = seedColumns.hourly_analytics.split(' ');
    const row = await read(
      store,
      'hourly_analytics',
      `t.sensor_id = 'front-door' and t.local_date = '${new Date(noon).toISOString().slice(0, 10)}'`,
      columns,
    );
    const told = {
      ...unknown,
      id: expect.any(String),
      store_id: store.store_id,
      sensor_id: 'front-door',
      start_time: expect.stringContaining('T12:00:00'),
      end_time: expect.stringContaining('T13:00:00'),
      total_in: 60,
      total_out: 50,
      // One door does not know who is inside: the hour of the store does, below.
      net_occupancy: null,
      peak_occupancy: null,
      mall_traffic: 200,
      capture_rate: 30,
      created_at: expect.any(String),
    };
    expect(Object.keys(told).toSorted()).toEqual(columns.toSorted());
    expect(row).toEqual(told);
    const inside = ['net_occupancy', 'peak_occupancy', 'mall_traffic', 'capture_rate'];
    const where = `t.start_time = to_timestamp(${noon / 1000})`;
    // The ten who stayed were not seen leaving: a day that is over closes at nobody.
    expect(await read(store, 'store_hourly', where, inside)).toEqual({
      net_occupancy: 0,
      peak_occupancy: 60,
      mall_traffic: 200,
      capture_rate: 30,
    });
  });

  it('its day, and how it compares', async () => {
    const store = await traded('outside', 200);
    const columns = seedColumns.daily_analytics.split(' ');
    const date = new Date(noon).toISOString().slice(0, 10);
    const row = await read(store, 'daily_analytics', `t.date = '${date}'`, columns);
    const told = {
      id: expect.any(String),
      store_id: store.store_id,
      date,
      total_footfall: 60,
      unique_visitors: null,
      peak_hour: 12,
      peak_hour_footfall: 60,
      conversion_rate: null,
      avg_dwell_time: 300,
      bounce_rate: 50,
      vs_yesterday_percent: 20,
      vs_last_week_percent: 50,
      // Four weeks: the same weekday.
      vs_last_month_percent: 100,
      // Fifty-two weeks: the same day of the same retail week.
      vs_last_year_percent: -25,
      total_revenue: null,
      total_transactions: null,
      avg_basket_size: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    };
    expect(Object.keys(told).toSorted()).toEqual(columns.toSorted());
    expect(row).toEqual(told);
  });
});
