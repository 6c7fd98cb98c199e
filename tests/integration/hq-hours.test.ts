import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../cloud-sync/db/pool.ts';
import { sha256 } from '../../cloud-sync/gateways/credentials.ts';
import { enrollGateway } from '../../cloud-sync/gateways/enroll.ts';
import { ingestBatch } from '../../cloud-sync/ingest/ingest-batch.ts';
import { Metrics } from '../../cloud-sync/metrics.ts';
import { ensurePartitions } from '../../cloud-sync/partitions.ts';
import { dirtyOrganizations, rollUp } from '../../cloud-sync/rollups/roll-up.ts';
import { rollupWorker } from '../../cloud-sync/rollups/rollup-worker.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, inviteTo, newSecret } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

const minute = 60_000;

describeOnEngines('hours', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    // Far enough around now to hold the clock changes below, whenever this runs.
    const years = new Date().getUTCFullYear() - 2026;
    await hq.asOwner('select app.ensure_partitions($1, 3)', [36 + 12 * years]);
  });
  afterAll(() => hq.close());

  /** One count a minute, as ingest stores it. */
  const insert = (store: TestStore, instants: readonly number[], in_count = 1) =>
    hq.asOwner(
      `with inserted as (
         insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id,
           in_count, out_count, interval_s, gateway_id, gateway_sequence, received_at)
         select $1, $2, to_timestamp(ms / 1000), 'front-door', $4, 0, 60, gen_random_uuid(), n, now()
         from unnest($3::float8[]) with ordinality as s (ms, n)
         on conflict do nothing returning "timestamp"
       )
       insert into app.rollup_dirty as d (organization_id, store_id, bucket)
       select distinct $1::uuid, $2::uuid, date_trunc('hour', "timestamp",
         (select timezone from stores where id = $2)) as b from inserted order by b
       on conflict (organization_id, store_id, bucket) do update set n = d.n + 1`,
      [store.organization.id, store.store_id, instants, in_count],
    );
  const gatewayOf = async (store: TestStore) => {
    const token = await inviteTo(hq, store);
    const { secret_hash } = newSecret();
    const request = { token, secret_hash, name: 'store-pc', version: '0.1.0' };
    const { gateway_id, credential_id } = await enrollGateway(hq.db, request, Date.now());
    const { organization, store_id } = store;
    return { organization_id: organization.id, store_id, gateway_id, credential_id };
  };
  const minutes = (from: number, to: number) =>
    Array.from({ length: (to - from) / minute }, (_, i) => from + i * minute);
  const roll = async (db = hq.db) => {
    for (const id of await dirtyOrganizations(db)) while ((await rollUp(db, id)) > 0);
  };
  interface Hour {
    start: string;
    local_date: string;
    local_hour: number;
    utc_offset_min: number;
    total_in: number;
    covered_s: number;
    readings: number;
    revised: boolean;
  }
  const hours = (store: TestStore) =>
    hq.asOwner<Hour>(
      `select to_char(start_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as start,
         local_date::text, local_hour, utc_offset_min, total_in, covered_s, readings,
         revised_at > created_at as revised
       from hourly_analytics where store_id = $1 order by start_time`,
      [store.store_id],
    );

  it('start on the hour of the store’s own clock, also in a half-hour zone', async () => {
    const store = await addTestStore(hq, { timezone: 'Asia/Kolkata' });
    await insert(store, minutes(Date.UTC(2026, 5, 1, 4), Date.UTC(2026, 5, 1, 6)));
    await roll();
    const local = { local_date: '2026-06-01', utc_offset_min: 330, revised: false };
    expect(await hours(store)).toEqual([
      {
        start: '2026-06-01 03:30',
        local_hour: 9,
        total_in: 30,
        covered_s: 1800,
        readings: 30,
        ...local,
      },
      {
        start: '2026-06-01 04:30',
        local_hour: 10,
        total_in: 60,
        covered_s: 3600,
        readings: 60,
        ...local,
      },
      {
        start: '2026-06-01 05:30',
        local_hour: 11,
        total_in: 30,
        covered_s: 1800,
        readings: 30,
        ...local,
      },
    ]);
  });

  it('are twenty-five in an autumn night, two of them called two o’clock', async () => {
    const store = await addTestStore(hq, { timezone: 'Europe/Madrid' });
    await insert(store, minutes(Date.UTC(2025, 9, 25, 22), Date.UTC(2025, 9, 26, 23)));
    await roll();
    const day = await hours(store);
    expect(new Set(day.map(({ local_date }) => local_date))).toEqual(new Set(['2025-10-26']));
    expect(day.map(({ local_hour }) => local_hour).slice(0, 5)).toEqual([0, 1, 2, 2, 3]);
    expect(day).toHaveLength(25);
    expect(day.every(({ total_in }) => total_in === 60)).toBe(true);
  });

  it('are twenty-three in a spring night', async () => {
    const store = await addTestStore(hq, { timezone: 'Europe/Madrid' });
    await insert(store, minutes(Date.UTC(2026, 2, 28, 23), Date.UTC(2026, 2, 29, 22)));
    await roll();
    const day = await hours(store);
    expect(day.map(({ local_hour }) => local_hour).slice(0, 4)).toEqual([0, 1, 3, 4]);
    expect(day).toHaveLength(23);
  });

  it('count every reading once where the clock moves by half an hour', async () => {
    const store = await addTestStore(hq, { timezone: 'Australia/Lord_Howe' });
    const night = minutes(Date.UTC(2026, 3, 4, 12), Date.UTC(2026, 3, 4, 20));
    await insert(store, night);
    await roll();
    const total = (await hours(store)).reduce((sum, { total_in }) => sum + total_in, 0);
    expect(total).toBe(night.length);
  });

  it('take late readings in, and only those hours are written again', async () => {
    const store = await addTestStore(hq);
    const from = Date.UTC(2026, 6, 1, 8);
    await insert(
      store,
      minutes(from, from + 120 * minute).filter((_, i) => i % 2 === 0),
    );
    await roll();
    await insert(store, [from + minute], 7);
    await roll();
    expect(await hours(store)).toMatchObject([
      { total_in: 37, readings: 31, revised: true },
      { total_in: 30, readings: 30, revised: false },
    ]);
  });

  it('disappear when their readings are gone', async () => {
    const store = await addTestStore(hq);
    const from = Date.UTC(2026, 6, 1, 8);
    await insert(store, minutes(from, from + 60 * minute));
    await roll();
    await hq.asOwner('delete from people_counting_raw where store_id = $1', [store.store_id]);
    await hq.asOwner('insert into app.rollup_dirty values ($1, $2, $3)', [
      store.organization.id,
      store.store_id,
      new Date(from),
    ]);
    await roll();
    expect(await hours(store)).toEqual([]);
  });

  it('miss nothing when readings arrive while several workers recompute', async () => {
    const store = await addTestStore(hq);
    const workers = Array.from(
      { length: 3 },
      () => new Database({ url: hq.service_url, log: silentLog, name: 'test' }),
    );
    const from = Date.UTC(2026, 6, 2, 8);
    const all = minutes(from, from + 180 * minute);
    let sending = true;
    const recompute = workers.map(async (db) => {
      while (sending) await roll(db);
    });
    for (let i = 0; i < all.length; i += 3) await insert(store, all.slice(i, i + 3));
    sending = false;
    await Promise.all(recompute);
    await roll();
    expect((await hours(store)).map(({ total_in }) => total_in)).toEqual([60, 60, 60]);
    await Promise.all(workers.map((db) => db.close()));
  });

  it('keep the mark of a batch that commits while a worker holds the hour', async () => {
    const store = await addTestStore(hq);
    const at = Date.UTC(2026, 6, 3, 8);
    const { organization_id, ...gateway } = await gatewayOf(store);
    const deliver = (sequence: number) => {
      const reading = count(sequence, { observed_at: at + sequence * minute, in: 5 });
      const one = batch({ epoch: gateway.gateway_id }, [reading]);
      return ingestBatch(hq.db, { organization_id, ...gateway }, one, sha256(one.batch_id));
    };
    await deliver(1);
    let delivered: Promise<unknown> | undefined;
    await hq.db.inTenant({ organization_id }, 'app_rollup', async ({ query }) => {
      await query('select from app.rollup_dirty for update skip locked');
      delivered = deliver(2);
      await query('select pg_sleep(0.2)');
      await query('delete from app.rollup_dirty');
    });
    await delivered;
    await roll();
    expect(await hours(store)).toMatchObject([{ total_in: 10 }]);
  });

  it('have partitions ahead, made once however often they are asked for', async () => {
    expect(await ensurePartitions(hq.db)).toBe(0);
    const concurrently = await Promise.all([1, 2, 3].map(() => ensurePartitions(hq.db)));
    expect(concurrently).toEqual([0, 0, 0]);
    const [ahead] = await hq.asOwner<{ n: number }>(
      `select count(*) as n from pg_class where relnamespace = 'parts'::regnamespace
         and relkind = 'r' and right(relname, 7) > to_char(now() at time zone 'UTC', 'YYYY_MM')`,
    );
    expect(ahead?.n).toBe(6);
  });

  it('goes on with the others when the hour of one organization cannot be computed', async () => {
    const [broken, sound] = [await addTestStore(hq), await addTestStore(hq)];
    const noon = Date.UTC(2026, 2, 1, 12);
    // More people than the column holds: 22003 for the whole claim.
    await insert(broken, minutes(noon, noon + 30 * minute), 2_000_000_000);
    await insert(sound, minutes(noon, noon + 30 * minute));
    const rollups = rollupWorker({
      db: hq.db,
      metrics: new Metrics(),
      clock: systemClock,
      log: silentLog,
    });
    await rollups.start();
    await systemClock.sleep(1_500);
    await rollups.stop();
    const rows = await hq.asOwner<{ total_in: number }>(
      'select total_in from hourly_analytics where store_id = $1',
      [sound.store_id],
    );
    expect(rows).toEqual([{ total_in: 30 }]);
    await hq.asOwner('delete from app.rollup_dirty where store_id = $1', [broken.store_id]);
  });
});
