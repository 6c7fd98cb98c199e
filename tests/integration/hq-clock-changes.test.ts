import { afterAll, beforeAll, expect, it } from 'vitest';
import { findClockChanges, onePartitionForAllYears, wrongSums } from '../support/clock-changes.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';

describeOnEngines('hours around every change of every zone’s clock, 2000 to 2037,', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await findClockChanges(hq);
  }, 300_000);
  afterAll(() => hq.close());

  it('are there to be tested', async () => {
    const [found] = await hq.asOwner<{ changes: number; zones: number }>(
      'select count(*) as changes, count(distinct zone) as zones from clock_changes',
    );
    expect(found?.changes).toBeGreaterThan(4_000);
    expect(found?.zones).toBeGreaterThan(100);
  });

  it('hold each minute once, under the date and hour that the clock on the wall shows', async () => {
    const wrong = await hq.asOwner(`
      with minute as (
        select zone, at, m, date_trunc('hour', m, zone) as mark
        from clock_changes, generate_series(at - interval '2 hours', at + interval '2 hours',
          interval '1 minute') m
      ), hour as (
        select marked.zone, marked.at, h.*
        from (select distinct zone, at, mark from minute) marked
        cross join lateral app.hours_of(marked.mark, marked.zone) h
      )
      select m.zone, m.m, count(h.start_time)
      from minute m left join hour h on h.zone = m.zone and h.at = m.at
        and m.m >= h.start_time and m.m < h.end_time
      group by m.zone, m.at, m.m
      having count(h.start_time) <> 1
        or min(date_trunc('hour', h.start_time at time zone m.zone))
          <> date_trunc('hour', m.m at time zone m.zone)
        or min(utc_offset(h.start_time, m.zone)) <> utc_offset(m.m, m.zone)`);
    expect(wrong).toEqual([]);
  }, 300_000);

  it('sum up to the readings, and so do days', async () => {
    // One zone for each way in which a clock ever moved: by how much, and at which local time.
    const ways = await hq.asOwner<{ zone: string; at: Date }>(`
      select distinct on (after - before, to_char(at at time zone zone, 'HH24:MI')) zone, at
      from clock_changes order by after - before, to_char(at at time zone zone, 'HH24:MI'), at`);
    expect(ways.length).toBeGreaterThan(20);
    await onePartitionForAllYears(hq);
    const first = await addTestStore(hq);
    for (const { zone, at } of ways) {
      const store = await addTestStore(hq, { timezone: zone, organization: first.organization });
      await hq.asOwner(
        `with sent as (
           insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id,
             in_count, out_count, interval_s, gateway_id, gateway_sequence, received_at)
           select $1, $2, m, 'door', extract(epoch from m - $3)::integer / 60 + 2000, 1, 60,
             gen_random_uuid(), 1, now()
           from generate_series($3::timestamptz - interval '27 hours', $3 + interval '27 hours',
             interval '1 minute') m
           where abs(extract(epoch from m - $3)) < 7200 or extract(minute from m) in (0, 30)
           returning "timestamp")
         insert into app.rollup_dirty (organization_id, store_id, bucket)
         select distinct $1::uuid, $2::uuid, date_trunc('hour', "timestamp", $4) from sent`,
        [store.organization.id, store.store_id, at, zone],
      );
    }
    await rollEverything(hq.db);
    expect(await wrongSums(hq)).toEqual([]);
  }, 300_000);
});
