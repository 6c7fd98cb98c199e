import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../cloud-sync/db/pool.ts';
import { runJob } from '../../cloud-sync/rollups/calendar-job.ts';
import { closeHours, markForRebuild } from '../../cloud-sync/rollups/mark-hours.ts';
import { lastRuns, rollupState } from '../../cloud-sync/rollups/rollup-state.ts';
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { addClosure } from '../../cloud-sync/tenants/trading-hours.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { anHour, at, day, monday, opens } from '../support/store-days.ts';
import { addLine, insertCounts, results } from '../support/store-traffic.ts';

describeOnEngines('days of a store', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(30, 3)');
  });
  afterAll(() => hq.close());

  it('cut trading hours at quarter hours', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '09:30', '12:00');
    await insertCounts(hq, store, [
      { sensor_id: 'front-door', at: at('09:29'), in: 5 },
      { sensor_id: 'front-door', at: at('09:30'), in: 7 },
    ]);
    await rollEverything(hq.db);
    expect(await day(hq, store, 'total_footfall, out_of_hours_in, trading_s')).toEqual({
      total_footfall: 7,
      out_of_hours_in: 5,
      trading_s: 1800,
    });
  });

  it('trade in whole quarter hours, and close after they open', async () => {
    const store = await addTestStore(hq);
    await expect(opens(hq, store, '10:10', '12:00')).rejects.toMatchObject({
      code: 'value_invalid',
    });
    await expect(opens(hq, store, '12:00', '10:00')).rejects.toMatchObject({
      code: 'value_invalid',
    });
    await expect(opens(hq, store, 'noon', '14:00')).rejects.toMatchObject({ code: 'usage' });
  });

  it('say how complete they are: a door that is silent makes an hour partial', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '10:00', '12:00');
    for (const door of ['front-door', 'back-door']) await addLine(hq, store, door);
    await insertCounts(hq, store, [
      ...anHour('front-door', at('10:00'), 10),
      ...anHour('back-door', at('10:00'), 10),
      ...anHour('front-door', at('11:00'), 10),
    ]);
    await rollEverything(hq.db);
    const hours = await hq.asOwner(
      `select local_hour, status, coverage, sensors_expected, sensors_heard from store_hourly
       where store_id = $1 order by 1`,
      [store.store_id],
    );
    expect(hours).toEqual([
      { local_hour: 10, status: 'complete', coverage: 1, sensors_expected: 2, sensors_heard: 2 },
      { local_hour: 11, status: 'partial', coverage: 0.5, sensors_expected: 2, sensors_heard: 1 },
    ]);
    expect(await day(hq, store, 'status, coverage')).toEqual({ status: 'partial', coverage: 0.75 });
  });

  it('show an hour in which nothing arrived as missing, a closed one as closed', async () => {
    const store = await addTestStore(hq);
    await opens(hq, store, '10:00', '12:00');
    await addLine(hq, store, 'front-door');
    const { organization } = store;
    await closeHours(hq.db, organization.id, at('09:05'));
    await closeHours(hq.db, organization.id, at('13:05'));
    expect(await closeHours(hq.db, organization.id, at('13:06'))).toBe(0);
    await rollEverything(hq.db);
    const hours = await hq.asOwner(
      'select local_hour, status from store_hourly where store_id = $1 order by 1',
      [store.store_id],
    );
    expect(hours).toEqual([
      { local_hour: 8, status: 'closed' },
      { local_hour: 9, status: 'closed' },
      { local_hour: 10, status: 'missing' },
      { local_hour: 11, status: 'missing' },
      { local_hour: 12, status: 'closed' },
    ]);
    expect(await day(hq, store, 'status, coverage, total_footfall')).toEqual({
      status: 'missing',
      coverage: 0,
      total_footfall: 0,
    });
  });

  it('wait for no sensor on a closed day', async () => {
    const store = await addTestStore(hq);
    const date = new Date(monday).toISOString().slice(0, 10);
    const known = await storeByCode(hq.db, store.organization, store.code);
    const closure = { from: date, until: date, reason: 'Stocktaking' };
    await addClosure(hq.db, store.organization, known, closure);
    await insertCounts(hq, store, anHour('front-door', at('10:00'), 3));
    await rollEverything(hq.db);
    expect(await day(hq, store, 'status, coverage, total_footfall, out_of_hours_in')).toEqual({
      status: 'closed',
      coverage: null,
      total_footfall: 0,
      out_of_hours_in: 3,
    });
  });

  it('are the same when they are computed anew from the readings', async () => {
    const store = await addTestStore(hq);
    await insertCounts(hq, store, anHour('front-door', at('10:00'), 10, 7));
    await insertCounts(hq, store, anHour('front-door', at('13:00'), 10, 7));
    await markForRebuild(hq.db, store.organization.id);
    await rollEverything(hq.db);
    const kept = await results(hq, store);
    await hq.asOwner("update store_hourly set footfall = 999, status = 'complete'");
    await hq.asOwner('delete from daily_analytics');
    expect(await markForRebuild(hq.db, store.organization.id, store.store_id)).toBe(4);
    await rollEverything(hq.db);
    expect(await results(hq, store)).toEqual(kept);
    expect(await rollupState(hq.db, store.organization.id)).toMatchObject({
      dirty_hours: 0,
      dirty_days: 0,
    });
  });

  it('are closed by one process at a time, and the run is recorded', async () => {
    let runs = 0;
    const work = async () => {
      runs += 1;
      await new Promise((done) => setTimeout(done, 300));
      return 'worked';
    };
    const outcomes = await Promise.all([1, 2, 3].map(() => runJob(hq.db, 'a-job', work)));
    expect([runs, outcomes.filter((one) => one === 'worked')]).toEqual([1, ['worked']]);
    const failing = runJob(hq.db, 'bad-job', () => Promise.reject(new Error('no luck')));
    await expect(failing).rejects.toThrow('no luck');
    expect(await lastRuns(hq.db)).toMatchObject([
      { job: 'a-job', outcome: 'done', detail: 'worked' },
      { job: 'bad-job', outcome: 'failed', detail: expect.stringContaining('no luck') },
    ]);
  });

  it('are closed however long it takes: the job’s lock waits, and commits', async () => {
    const url = `${hq.service_url}?idle_in_transaction_session_timeout=500`;
    const impatient = new Database({ url, log: silentLog, name: 'test' });
    try {
      const work = () => systemClock.sleep(1_500).then(() => 'worked');
      expect(await runJob(impatient, 'long-job', work)).toBe('worked');
    } finally {
      await impatient.close();
    }
  });
});
