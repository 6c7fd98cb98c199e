import { afterAll, beforeAll, expect, it } from 'vitest';
import { markForRebuild } from '../../cloud-sync/rollups/mark-hours.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { anHour, at, day, opens } from '../support/store-days.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

const hour = 3_600_000;

describeOnEngines('days of a store', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(30, 3)');
  });
  afterAll(() => hq.close());

  it('count entrances in trading hours as footfall, and what came outside of them apart', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '10:00', '12:00');
    await addLine(hq, store, 'inner-door', { role: 'inside' });
    await insertCounts(hq, store, [
      ...anHour('front-door', at('09:00'), 2),
      ...anHour('front-door', at('10:00'), 30),
      ...anHour('front-door', at('11:00'), 40),
      ...anHour('inner-door', at('11:00'), 500),
    ]);
    await rollEverything(hq.db);
    const columns = 'total_footfall, out_of_hours_in, total_in, peak_hour, peak_hour_footfall';
    expect(await day(hq, store, columns)).toEqual({
      total_footfall: 70,
      out_of_hours_in: 2,
      total_in: 72,
      peak_hour: 11,
      peak_hour_footfall: 40,
    });
  });

  it('take off footfall whom the device knows to be staff, and never off the counts', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '10:00', '12:00');
    await addLine(hq, store, 'front-door/staff', { role: 'staff' });
    await insertCounts(hq, store, [
      ...anHour('front-door', at('09:00'), 2),
      ...anHour('front-door/staff', at('09:00'), 2),
      ...anHour('front-door', at('10:00'), 30),
      ...anHour('front-door/staff', at('10:00'), 4),
    ]);
    await rollEverything(hq.db);
    const columns = 'total_footfall, staff_in, out_of_hours_in, total_in, status';
    expect(await day(hq, store, columns)).toEqual({
      total_footfall: 26,
      staff_in: 4,
      out_of_hours_in: 2,
      total_in: 32,
      status: 'complete',
    });
  });

  it('know how long visits last, and short ones, only from a zone that sees visits', async () => {
    const store = await addTestStore(hq);
    const { organization, store_id } = store;
    await insertCounts(hq, store, anHour('front-door', at('10:00'), 3));
    await hq.asOwner(
      `insert into regional_counting_raw (organization_id, store_id, "timestamp", sensor_id,
         region_id, dwell_time, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, to_timestamp($3::float8 / 1000) + n * interval '1 minute', 'ceiling', 'all',
         dwell, dwell, gen_random_uuid(), n, now()
       from unnest(array[60, 100, 600, 840]::real[]) with ordinality as v (dwell, n)`,
      [organization.id, store_id, at('10:00')],
    );
    const columns = 'avg_dwell_time::float8, bounce_rate::float8, unique_visitors';
    await rollEverything(hq.db);
    const unknown = { avg_dwell_time: null, bounce_rate: null, unique_visitors: null };
    expect(await day(hq, store, columns)).toEqual(unknown);

    const zoneOfType = async (type: string) => {
      await hq.asOwner('delete from region_configurations where store_id = $1', [store_id]);
      await hq.asOwner(
        "delete from sensor_metadata where store_id = $1 and sensor_id = 'ceiling'",
        [store_id],
      );
      await hq.asOwner(
        `with zone as (
           insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
           values ($1, $2, 'ceiling', 'zone'))
         select`,
        [organization.id, store_id],
      );
      await hq.asOwner(
        `insert into region_configurations (organization_id, store_id, sensor_id, region_id, name, type)
         values ($1, $2, 'ceiling', 'all', 'Store', $3)`,
        [organization.id, store_id, type],
      );
      await markForRebuild(hq.db, organization.id);
      await rollEverything(hq.db);
    };
    await zoneOfType('store');
    expect(await day(hq, store, columns)).toEqual({ ...unknown, avg_dwell_time: 400 });
    await zoneOfType('store_visits');
    expect(await day(hq, store, columns)).toEqual({
      ...unknown,
      avg_dwell_time: 400,
      bounce_rate: 50,
    });
    await zoneOfType('queue');
    expect(await day(hq, store, columns)).toEqual(unknown);
  });

  it('say of each door what it added, beside the traffic of the mall', async () => {
    const store = await addTestStore(hq);
    await addLine(hq, store, 'mall', { role: 'outside' });
    await insertCounts(hq, store, [
      { sensor_id: 'front-door', at: at('10:00'), in: 50 },
      { sensor_id: 'side-door', at: at('10:00'), in: 10 },
      { sensor_id: 'mall', at: at('10:00'), in: 120, out: 80 },
    ]);
    await rollEverything(hq.db);
    const doors = await hq.asOwner(
      `select sensor_id, footfall, mall_traffic, capture_rate::float8, net_occupancy
       from hourly_analytics where store_id = $1 order by 1`,
      [store.store_id],
    );
    const nothing = { footfall: null, mall_traffic: null, capture_rate: null, net_occupancy: null };
    const mall = { mall_traffic: 200, net_occupancy: null };
    expect(doors).toEqual([
      { sensor_id: 'front-door', footfall: 50, capture_rate: 25, ...mall },
      { sensor_id: 'mall', ...nothing },
      { sensor_id: 'side-door', footfall: 10, capture_rate: 5, ...mall },
    ]);
  });

  it('close at nobody inside, although the line missed people who left', async () => {
    const store = await addTestStore(hq);
    await insertCounts(hq, store, [
      { sensor_id: 'front-door', at: at('10:00'), in: 100 },
      { sensor_id: 'front-door', at: at('11:00'), in: 0, out: 40 },
      { sensor_id: 'front-door', at: at('12:00'), in: 0, out: 40 },
    ]);
    await rollEverything(hq.db);
    const inside = await hq.asOwner(
      `select local_hour, net_occupancy, peak_occupancy, total_out from store_hourly
       where store_id = $1 order by 1`,
      [store.store_id],
    );
    expect(inside).toEqual([
      { local_hour: 10, net_occupancy: 100, peak_occupancy: 100, total_out: 0 },
      { local_hour: 11, net_occupancy: 50, peak_occupancy: 50, total_out: 40 },
      { local_hour: 12, net_occupancy: 0, peak_occupancy: 0, total_out: 40 },
    ]);
  });

  it('keep occupancy signed while the day still runs', async () => {
    const store = await addTestStore(hq);
    await insertCounts(hq, store, [
      { sensor_id: 'front-door', at: at('10:00'), in: 1, out: 4 },
      { sensor_id: 'front-door', at: at('11:00'), in: 2 },
    ]);
    await rollEverything(hq.db, at('12:00'));
    const inside = await hq.asOwner(
      'select net_occupancy, peak_occupancy from store_hourly where store_id = $1 order by start_time',
      [store.store_id],
    );
    expect(inside).toEqual([
      { net_occupancy: -3, peak_occupancy: 0 },
      { net_occupancy: -1, peak_occupancy: 0 },
    ]);
  });

  it.each([
    ['outside', 200, 25],
    ['outside_passing', 250, 20],
  ])('know the capture rate when the sensor in the mall is %s', async (role, traffic, rate) => {
    const store = await addTestStore(hq);
    await addLine(hq, store, 'mall', { role });
    await insertCounts(hq, store, [
      { sensor_id: 'front-door', at: at('10:00'), in: 50 },
      { sensor_id: 'mall', at: at('10:00'), in: 120, out: 80 },
    ]);
    await rollEverything(hq.db);
    expect(await day(hq, store, 'mall_traffic, capture_rate::float8')).toEqual({
      mall_traffic: traffic,
      capture_rate: rate,
    });
  });

  it('compare with the same weekday, and with nothing that is incomplete', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '10:00', '11:00');
    const days = [0, 7, 8].flatMap((d) =>
      anHour('front-door', at('10:00') + d * 24 * hour, 10 + d),
    );
    await insertCounts(hq, store, [
      ...days,
      { sensor_id: 'front-door', at: at('10:00') + 6 * 24 * hour, in: 9 },
    ]);
    await rollEverything(hq.db);
    const compared = 'd.vs_last_week_percent::float8 as week, d.vs_yesterday_percent as yesterday';
    expect(await day(hq, store, compared, 7)).toEqual({ week: 70, yesterday: null });
    expect(await day(hq, store, 'd.vs_yesterday_percent::float8 as yesterday', 8)).toEqual({
      yesterday: 5.88,
    });
  });
});
