import { afterAll, beforeAll, expect, it } from 'vitest';
import { daysOf, totalsOf } from '../../cloud-sync/reports/days.ts';
import { hoursOf } from '../../cloud-sync/reports/hours.ts';
import { periodsOf } from '../../cloud-sync/reports/periods.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import { addTestStore, noon } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

/** Two of them are more than a column of 32 bits holds, a day of them is not yet 2^53. */
const mad = 2_000_000_000;
const half_hour = 1_800_000;

describeOnEngines('a counter that goes mad', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(3, 3)');
  });
  afterAll(() => hq.close());

  it('is added up exactly in every hour, day and period, and stops nobody’s', async () => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    const neighbour = await addTestStore(hq, { organization: store.organization });
    await addLine(hq, store, 'front-door');
    await addLine(hq, store, 'mall', { role: 'outside' });
    const minutes = [0, 1, 2].map((minute) => noon + minute * 60_000);
    await insertCounts(hq, store, [
      ...minutes.map((at) => ({ sensor_id: 'front-door', at, in: mad })),
      ...minutes.map((at) => ({ sensor_id: 'front-door', at: at + half_hour, in: 0, out: mad })),
      ...minutes.map((at) => ({ sensor_id: 'mall', at, in: mad, out: mad })),
    ]);
    await insertCounts(hq, neighbour, [{ sensor_id: 'front-door', at: noon, in: 5 }]);
    const { user_id } = await addUser(hq.db, store.organization, {
      email: `${store.code}@acme.example`,
      role: 'analyst',
      stores: [],
    });
    const person = { user_id, organization_id: store.organization.id };

    const sum = { total_in: 3 * mad, total_out: 3 * mad, footfall: 3 * mad };
    const live = await totalsOf(hq.db, person, store.code, {});
    expect(live.hours).toMatchObject([sum]);
    await rollEverything(hq.db);
    expect((await totalsOf(hq.db, person, store.code, {})).hours).toMatchObject([sum]);
    expect((await hoursOf(hq.db, person, store.code, {})).hours).toMatchObject([
      { sensor_id: 'front-door', total_in: 3 * mad },
      { sensor_id: 'mall', total_in: 3 * mad },
    ]);
    const [day] = (await daysOf(hq.db, person, store.code)).days;
    expect(day).toMatchObject({
      total_footfall: 3 * mad,
      peak_occupancy: 3 * mad,
      capture_rate: 50,
    });
    for (const kind of ['week', 'month', 'quarter', 'year'] as const) {
      const { periods } = await periodsOf(hq.db, person, store.code, kind);
      expect(periods).toMatchObject([{ footfall: 3 * mad }]);
    }
    expect((await totalsOf(hq.db, person, neighbour.code, {})).hours).toMatchObject([
      { footfall: 5 },
    ]);
    expect(await hq.asOwner('select from app.rollup_dirty')).toEqual([]);
  });
});
