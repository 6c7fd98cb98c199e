import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../cloud-sync/db/pool.ts';
import { markForRebuild } from '../../cloud-sync/rollups/mark-hours.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import type { Count } from '../support/store-traffic.ts';
import { addLine, insertCounts, results } from '../support/store-traffic.ts';
import { seeded } from '../torture/seeded.ts';

const hour = 3_600_000;
const day = 24 * hour;
const days = 35;
/** Midnight of the first of five weeks; the store's clock is UTC. */
const first = Math.floor(Date.now() / day) * day - (days + 1) * day;
/** One moment for all: a gap is one once its hour is over. */
const now = first + days * day;
const seed = 7;

describeOnEngines('estimates', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(4, 3)');
  });
  afterAll(() => hq.close());

  it('equal those from scratch, whatever comes late while workers are killed', async () => {
    const random = seeded(seed);
    const store = await addTestStore(hq, { timezone: 'UTC' });
    const { organization, store_id } = store;
    for (const door of ['front', 'back']) await addLine(hq, store, door);
    await hq.asOwner(
      `insert into store_hours select $1, $2, d, '12:00', '15:00' from generate_series(1, 7) d`,
      [organization.id, store_id],
    );
    // Quarter hours of two doors; one of ten never arrives, the others in any order.
    const sent: Count[] = [];
    for (let d = 0; d < days; d += 1) {
      for (let quarter = 0; quarter < 12; quarter += 1) {
        for (const sensor_id of ['front', 'back']) {
          const at = first + d * day + 12 * hour + quarter * (hour / 4);
          const people = { in: random.below(30), out: random.below(30), interval_s: 900 };
          if (random.below(10) > 0) sent.push({ sensor_id, at, ...people });
        }
      }
    }
    const ends = [sent.shift(), sent.pop()].filter((one) => one !== undefined);
    const chunks = Array.from({ length: 30 }, (): Count[] => []);
    for (const one of sent) chunks[random.below(chunks.length)]?.push(one);
    // From here on every hour in between has its row, also where nothing arrived.
    await insertCounts(hq, store, ends);
    await markForRebuild(hq.db, organization.id);

    const doomed = Array.from(
      { length: 3 },
      () => new Database({ url: hq.service_url, log: silentLog, name: 'doomed-estimates' }),
    );
    let arriving = true;
    let kills = 0;
    let failures = 0;
    const workers = doomed.map(async (db) => {
      while (arriving) {
        await rollEverything(db, now).catch(() => {
          failures += 1;
        });
      }
    });
    const killer = (async () => {
      while (arriving) {
        const killed = await hq.asOwner(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'doomed-estimates' and state <> 'idle'
             and datname = current_database() order by random() limit 1`,
        );
        kills += killed.length;
      }
    })();
    for (const chunk of chunks) await insertCounts(hq, store, chunk);
    arriving = false;
    await Promise.all([...workers, killer]);
    await Promise.all(doomed.map((db) => db.close()));
    await rollEverything(hq.db, now);
    expect(kills).toBeGreaterThan(10);
    expect(failures).toBeGreaterThan(0);

    const kept = await results(hq, store);
    const [told] = await hq.asOwner<{ gaps: number; days: number }>(
      `select (select count(*) from gap_estimates) as gaps,
         (select count(*) from daily_analytics where status = 'estimated') as days`,
    );
    expect(told?.gaps).toBeGreaterThan(20);
    expect(told?.days).toBeGreaterThan(5);
    await hq.asOwner(
      'truncate hourly_analytics, store_hourly, zone_hourly, daily_analytics, gap_estimates',
    );
    await markForRebuild(hq.db, organization.id);
    await rollEverything(hq.db, now);
    expect(await results(hq, store)).toEqual(kept);
  }, 120_000);
});
