import { afterAll, beforeAll, expect, it } from 'vitest';
import { listEstimates, revertEstimates } from '../../cloud-sync/rollups/estimate-gaps.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts, results } from '../support/store-traffic.ts';
import { seeded } from '../torture/seeded.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Seven weeks ago to the day, at noon; the store's clock is UTC. */
const noon = Math.floor(Date.now() / day) * day - 49 * day + 12 * hour;
const date = (at: number) => new Date(at).toISOString().slice(0, 10);

describeOnEngines('gaps', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(3, 3)');
  });
  afterAll(() => hq.close());

  /** Trades from noon to two; two doors. */
  const openStore = async () => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    for (const door of ['front', 'back']) await addLine(hq, store, door);
    await hq.asOwner(
      `insert into store_hours select $1, $2, d, '12:00', '14:00' from generate_series(1, 7) d`,
      [store.organization.id, store.store_id],
    );
    return store;
  };
  /** One reading a minute, everybody in the first. */
  const counted = (store: TestStore, sensor_id: string, at: number, people: number, minutes = 60) =>
    insertCounts(
      hq,
      store,
      Array.from({ length: minutes }, (_, i) => ({
        sensor_id,
        at: at + i * minute,
        in: i === 0 ? people : 0,
      })),
    );
  /** Weeks 0 to 3 are whole: 40, 50, 60, 70 at the front and 20 at the back. */
  const fourWeeks = async (store: TestStore) => {
    for (let week = 0; week < 4; week += 1) {
      await counted(store, 'front', noon + week * 7 * day, 40 + 10 * week);
      await counted(store, 'back', noon + week * 7 * day, 20);
    }
  };
  const fifth = noon + 28 * day;
  const storeHour = async (store: TestStore, at = fifth) => {
    const [row] = await hq.asOwner(
      `select footfall, estimated_in, coverage, status from store_hourly
       where store_id = $1 and start_time = $2`,
      [store.store_id, new Date(at)],
    );
    return row;
  };
  const storeDay = async (store: TestStore, at = fifth) => {
    const [row] = await hq.asOwner(
      `select total_footfall, estimated_in, status from daily_analytics
       where store_id = $1 and date = $2`,
      [store.store_id, date(at)],
    );
    return row;
  };
  const ofDay = (store: TestStore, at = fifth) => ({
    store_id: store.store_id,
    sensor_id: undefined,
    from: date(at),
    until: date(at),
  });

  it('get the median of the same weekday and hour, times how today compares', async () => {
    const store = await openStore();
    await fourWeeks(store);
    // Half as many again as usual at the back; the front is silent.
    await counted(store, 'back', fifth, 30);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toEqual({
      footfall: 30,
      estimated_in: 83,
      coverage: 0.5,
      status: 'estimated',
    });
    expect(await storeDay(store)).toEqual({
      total_footfall: 30,
      estimated_in: 83,
      status: 'estimated',
    });
    expect(await listEstimates(hq.db, store.organization.id, ofDay(store))).toMatchObject([
      {
        sensor_id: 'front',
        estimated_in: 83,
        missing_share: 1,
        median_in: 55,
        basis: 4,
        scale: 1.5,
      },
    ]);
  });

  it('are estimated for the part that is missing, beside what was counted', async () => {
    const store = await openStore();
    await fourWeeks(store);
    await counted(store, 'back', fifth, 20);
    await counted(store, 'front', fifth, 31, 30);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({
      footfall: 51,
      estimated_in: 28,
      coverage: 0.75,
    });
  });

  it('stay gaps where fewer than three weeks can say', async () => {
    const store = await openStore();
    await counted(store, 'front', fifth - 14 * day, 40);
    await counted(store, 'front', fifth - 7 * day, 50);
    await counted(store, 'front', fifth, 50, 30);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({ estimated_in: null, status: 'partial' });
    expect(await storeDay(store)).toMatchObject({ estimated_in: null, status: 'partial' });
  });

  it('are no gaps before their hour is over', async () => {
    const store = await openStore();
    await fourWeeks(store);
    await counted(store, 'back', fifth, 20, 10);
    await rollEverything(hq.db, fifth + 10 * minute);
    expect(await storeHour(store)).toMatchObject({ estimated_in: null, status: 'partial' });
  });

  it('close when the readings arrive, and say when that was', async () => {
    const store = await openStore();
    await fourWeeks(store);
    await counted(store, 'back', fifth, 20);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({ estimated_in: 55, status: 'estimated' });
    await counted(store, 'front', fifth, 61);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toEqual({
      footfall: 81,
      estimated_in: null,
      coverage: 1,
      status: 'complete',
    });
    expect(await listEstimates(hq.db, store.organization.id, ofDay(store))).toEqual([]);
    const [revised] = await hq.asOwner<{ yes: boolean }>(
      'select revised_at > created_at as yes from store_hourly where store_id = $1 and start_time = $2',
      [store.store_id, new Date(fifth)],
    );
    expect(revised).toEqual({ yes: true });
  });

  it('follow late readings of the weeks before', async () => {
    const store = await openStore();
    await fourWeeks(store);
    await counted(store, 'back', fifth, 20);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({ estimated_in: 55 });
    // The second week turns out to have had a hundred more.
    await insertCounts(hq, store, [
      { sensor_id: 'front', at: noon + 7 * day + 30_000, in: 100, interval_s: 0 },
    ]);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({ estimated_in: 65 });
  });

  it('open again when somebody reverts their estimates, and close when they are taken back', async () => {
    const store = await openStore();
    await fourWeeks(store);
    await counted(store, 'back', fifth, 20);
    await rollEverything(hq.db);
    const organization_id = store.organization.id;
    expect(await revertEstimates(hq.db, organization_id, ofDay(store), 'power cut')).toBe(1);
    expect(await revertEstimates(hq.db, organization_id, ofDay(store), 'power cut')).toBe(0);
    await rollEverything(hq.db);
    expect(await storeDay(store)).toEqual({
      total_footfall: 20,
      estimated_in: null,
      status: 'partial',
    });
    // Computed anew, it stays reverted.
    await insertCounts(hq, store, [
      { sensor_id: 'back', at: fifth + 30_000, in: 0, interval_s: 0 },
    ]);
    await rollEverything(hq.db);
    expect(await storeHour(store)).toMatchObject({ estimated_in: null, status: 'partial' });
    expect(await listEstimates(hq.db, organization_id, ofDay(store))).toMatchObject([
      { estimated_in: 55, reverted_reason: 'power cut' },
    ]);
    expect(await revertEstimates(hq.db, organization_id, ofDay(store), undefined)).toBe(1);
    await rollEverything(hq.db);
    expect(await storeDay(store)).toMatchObject({ estimated_in: 55, status: 'estimated' });
    const trail = await hq.asOwner(
      "select action from audit_logs where organization_id = $1 and relation = 'public.gap_estimates'",
      [organization_id],
    );
    expect(trail).toHaveLength(2);
  });

  it.each([1, 2])(
    'end the same in whatever order readings come (seed %i)',
    async (seed) => {
      const random = seeded(seed);
      const store = await openStore();
      // The trading hours of seven weekdays, also those in which nothing will arrive.
      const markHours = () =>
        hq.asOwner(
          `insert into app.rollup_dirty (organization_id, store_id, bucket)
         select $1, $2, $3::timestamptz + make_interval(days => 7 * week, hours => h)
         from generate_series(0, 6) week, generate_series(0, 1) h`,
          [store.organization.id, store.store_id, new Date(noon)],
        );
      await markHours();
      await rollEverything(hq.db);
      const deliveries: (() => Promise<void>)[] = [];
      for (let week = 0; week < 7; week += 1) {
        for (const door of ['front', 'back']) {
          for (const h of [0, 1]) {
            if (random.below(5) === 0) continue;
            const people = 20 + random.below(30);
            const at = noon + week * 7 * day + h * hour;
            deliveries.push(() =>
              counted(store, door, at, people, random.below(4) === 0 ? 30 : 60),
            );
          }
        }
      }
      while (deliveries.length > 0) {
        await deliveries.splice(random.below(deliveries.length), 1)[0]?.();
        if (random.below(3) === 0) await rollEverything(hq.db);
      }
      await rollEverything(hq.db);
      const kept = await results(hq, store);
      for (const table of [
        'gap_estimates',
        'store_hourly',
        'hourly_analytics',
        'daily_analytics',
      ]) {
        await hq.asOwner(`delete from ${table} where store_id = $1`, [store.store_id]);
      }
      await markHours();
      await rollEverything(hq.db);
      expect(await results(hq, store)).toEqual(kept);
      const [told] = await hq.asOwner<{ n: number }>(
        'select count(*) as n from gap_estimates where store_id = $1',
        [store.store_id],
      );
      expect(told?.n).toBeGreaterThan(0);
    },
    120_000,
  );
});
