import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dueMonths, restoreMonth, runRetention } from '../../cloud-sync/retention/retention.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

/** Eight months ago, as YYYY-MM. */
const old = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 8, 1))
  .toISOString()
  .slice(0, 7);
const rows_each = 6_001;

describeOnEngines('retention', (engine) => {
  let hq: TestDatabase;
  let stores: TestStore[];
  let archive_dir: string;

  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    stores = [await addTestStore(hq), await addTestStore(hq)];
    archive_dir = await mkdtemp(path.join(tmpdir(), 'footbridge-archive-'));
    await hq.asOwner('select app.ensure_partitions(3, 1)');
    for (const relation of ['people_counting_raw', 'regional_counting_raw']) {
      await hq.asOwner('select app.open_month($1, $2)', [relation, `${old}-01`]);
    }
    for (const store of stores) await fill(store);
  });
  afterAll(async () => {
    await hq.close();
    await rm(archive_dir, { recursive: true });
  });

  /** More than a page, with what JSON could bend: fractions of a second, quotes, nulls. */
  async function fill(store: TestStore) {
    const ids = [store.organization.id, store.store_id];
    await hq.asOwner(
      `insert into people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
         sensor_id, in_count, interval_s, gateway_sequence, received_at, metadata)
       select $1, $2, $2, ($3 || '-01')::timestamp at time zone 'UTC' + i * interval '60.001 s',
         'front-"door"', i, 0.1, i, now(), '{"note": "a\\nb"}'
       from generate_series(1, $4::int) i`,
      [...ids, old, rows_each],
    );
    await hq.asOwner(
      `insert into regional_counting_raw (organization_id, store_id, gateway_id, "timestamp",
         sensor_id, region_id, occupancy, interval_s, gateway_sequence, received_at)
       select $1, $2, $2, ($3 || '-02')::timestamp at time zone 'UTC', 'ceiling', 'zone ' || i,
         null, 60, i, now() from generate_series(1, 3) i`,
      [...ids, old],
    );
  }
  const everything = async () => [
    await hq.asOwner('select r::text from people_counting_raw r order by 1'),
    await hq.asOwner('select r::text from regional_counting_raw r order by 1'),
  ];
  const due = () => dueMonths(hq.db, systemClock.now());

  it('archives a month that is older than 90 days, drops it, and brings it back as it was', async () => {
    const before = await everything();
    expect(await due()).toEqual([
      { relation: 'people_counting_raw', month: old, rows: 2 * rows_each },
      { relation: 'regional_counting_raw', month: old, rows: 6 },
    ]);
    const run = await runRetention(hq.db, { archive_dir, clock: systemClock });
    expect(run.archived.map(({ rows, dropped }) => [rows, dropped])).toEqual([
      [2 * rows_each, true],
      [6, true],
    ]);
    expect(await everything()).toEqual([[], []]);
    expect(await due()).toEqual([]);
    for (const { archive } of run.archived) {
      const result = await restoreMonth(hq.db, archive);
      expect(result.restored).toBe(result.rows);
      expect((await restoreMonth(hq.db, archive)).restored).toBe(0);
    }
    expect(await everything()).toEqual(before);
  });

  it('keeps each tenant in a file of its own', async () => {
    const directory = path.join(archive_dir, 'people_counting_raw', old);
    const expected = stores.map(({ organization }) => `${organization.id}.ndjson.gz`);
    expect((await readdir(directory)).sort()).toEqual([...expected, 'manifest.json'].sort());
  });

  it('drops nothing that is in no archive', async () => {
    const dropped = await hq.asOwner('select app.drop_month($1, $2, $3) as dropped', [
      'people_counting_raw',
      `${old}-01`,
      2 * rows_each - 1,
    ]);
    expect(dropped).toEqual([{ dropped: false }]);
    expect((await due())[0]?.rows).toBe(2 * rows_each);
  });

  it('restores nothing from a file that one byte changed in', async () => {
    const run = await runRetention(hq.db, { archive_dir, clock: systemClock });
    const { archive: directory } = run.archived[1] ?? { archive: '' };
    const [name = ''] = await readdir(directory);
    const file = path.join(directory, name);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(file, bytes);
    await expect(restoreMonth(hq.db, directory)).rejects.toMatchObject({
      code: 'archive_damaged',
      detail: expect.stringContaining(name),
    });
    expect(await hq.asOwner('select from regional_counting_raw')).toEqual([]);
  });

  it('puts a resolved alert away after a year, deletes it after two, and keeps an open one', async () => {
    const organization_id = stores[0]?.organization.id;
    for (const [title, age, gone] of [
      ['open', '3 years', null],
      ['young', '11 months', null],
      ['resolved', '13 months', null],
      ['away', '3 years', '13 months'],
    ]) {
      await hq.asOwner(
        `insert into alerts (organization_id, alert_type, severity, title, dedup_key, state,
           is_resolved, resolved_at, created_at, deleted_at)
         values ($1, 'x', 'info', $2::text, $2,
           case when $2 <> 'open' then 'resolved' else 'firing' end, $2 <> 'open',
           case when $2 <> 'open' then now() - $3::interval end, now() - interval '3 years',
           now() - $4::interval)`,
        [organization_id, title, age, gone],
      );
    }
    await runRetention(hq.db, { archive_dir, clock: systemClock });
    const left = 'select title, deleted_at is not null as away from alerts order by title';
    expect(await hq.asOwner(left)).toEqual([
      { title: 'open', away: false },
      { title: 'resolved', away: true },
      { title: 'young', away: false },
    ]);
  });

  it('deletes hours after two years and a month, and days after five years', async () => {
    const store = stores[0] as TestStore;
    const ids = [store.organization.id, store.store_id];
    for (const months of [24, 26]) {
      await hq.asOwner(
        `insert into hourly_analytics (organization_id, store_id, sensor_id, start_time, end_time,
           local_date, local_hour, utc_offset_min, covered_s, readings)
         select $1, $2, 'd', h, h, h::date, 0, 0, 0, 0
         from (select now() - make_interval(months => $3)) t (h)`,
        [...ids, months],
      );
      await hq.asOwner(
        `insert into store_hourly (organization_id, store_id, start_time, end_time, local_date,
           local_hour, utc_offset_min, business_date, total_in, total_out, footfall,
           out_of_hours_in, in_quarters, out_quarters, trading_s, sensors_expected, sensors_heard,
           status)
         select $1, $2, h, h, h::date, 0, 0, h::date, 0, 0, 0, 0, '{0,0,0,0}', '{0,0,0,0}', 0, 0, 0,
           'closed'
         from (select now() - make_interval(months => $3)) t (h)`,
        [...ids, months],
      );
      await hq.asOwner(
        `insert into zone_hourly (organization_id, store_id, start_time, end_time, sensor_id,
           region_id, local_date, local_hour, readings, covered_s)
         select $1, $2, h, h, 'd', 'r', h::date, 0, 0, 0
         from (select now() - make_interval(months => $3)) t (h)`,
        [...ids, months],
      );
      await hq.asOwner(
        `insert into gap_estimates (organization_id, store_id, start_time, sensor_id, local_date,
           estimated_in, missing_share, median_in, basis, scale)
         select $1, $2, h, 'd', h::date, 0, 1, 0, 3, 1
         from (select now() - make_interval(months => $3)) t (h)`,
        [...ids, months],
      );
      await hq.asOwner(
        `insert into daily_analytics (organization_id, store_id, date, total_footfall, total_in,
           total_out, out_of_hours_in, hours_in_day, trading_s, status)
         values ($1, $2, now() - make_interval(years => $3), 0, 0, 0, 0, 24, 0, 'closed')`,
        [...ids, months === 24 ? 4 : 6],
      );
    }
    const run = await runRetention(hq.db, { archive_dir, clock: systemClock });
    expect(run.deleted).toMatchObject({
      hourly_analytics: 1,
      store_hourly: 1,
      zone_hourly: 1,
      gap_estimates: 1,
      daily_analytics: 1,
    });
  });
});
