import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrate } from '../cloud-sync/db/migrations.ts';
import { Database, runOnce } from '../cloud-sync/db/pool.ts';
import { openDatabaseServer } from '../cloud-sync/db/server.ts';
import type { GatewayIdentity } from '../cloud-sync/gateways/credentials.ts';
import { Metrics } from '../cloud-sync/metrics.ts';
import { ensurePartitions } from '../cloud-sync/partitions.ts';
import { markForRebuild } from '../cloud-sync/rollups/mark-hours.ts';
import { rollupState } from '../cloud-sync/rollups/rollup-state.ts';
import { rollupWorker } from '../cloud-sync/rollups/rollup-worker.ts';
import { addOrganization } from '../cloud-sync/tenants/organizations.ts';
import { silentLog } from '../shared/runtime/log.ts';
import type { Batch } from '../shared/wire/batch.ts';
import { median, round2 } from './figures.ts';
import { liveMinutes } from './live-minute.ts';
import type { Measured } from './main.ts';
import { batches, clock, deliver, sensors, settle, storeOf, timed } from './store-days.ts';

const days = 30;
const rounds = 3;
const package_root = fileURLToPath(new URL('../../', import.meta.url));

export async function measure(): Promise<Measured> {
  const data_dir = mkdtempSync('/var/tmp/footbridge-bench-');
  const where = { database_url: undefined, migration_database_url: undefined };
  const server = await openDatabaseServer({ data_dir, ...where, clock });
  try {
    await migrate({
      url: server.owner_url,
      directory: path.join(package_root, 'migrations'),
      direction: 'up',
      log: silentLog,
    });
    const db = new Database({ url: server.service_url, log: silentLog, name: 'bench' });
    try {
      return await measureOn(db, server.owner_url);
    } finally {
      await db.close();
    }
  } finally {
    await server.stop();
    rmSync(data_dir, { recursive: true, force: true });
  }
}

async function measureOn(db: Database, owner_url: string): Promise<Measured> {
  await ensurePartitions(db);
  const organization = await addOrganization(db, { slug: 'bench', name: 'Bench' });
  const other = await storeOf(db, organization, 'other');
  const late = await storeOf(db, organization, 'late');
  const alone = await storeOf(db, organization, 'alone');
  const until = Math.floor(clock.now() / 3_600_000) * 3_600_000;
  await deliver(db, other, batches(until - 2 * 86_400_000, until));
  await settle(db, organization.id);
  const others_before = new Set(await versions(owner_url, other));

  const backlog = batches(until - days * 86_400_000, until);
  const ingest_ms = await timed(() =>
    deliver(db, alone, batches(until - days * 86_400_000, until)),
  );
  await settle(db, organization.id);
  const late_rows = days * 1_440 * sensors;
  const late_store_s = await lateStore(db, organization.id, late, backlog);
  const wrong = await differences(owner_url, late);
  const others_after = await versions(owner_url, other);
  const other_store_rows_rewritten = others_after.filter((row) => !others_before.has(row)).length;

  const sql_ms: number[] = [];
  const rebuild_ms: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    sql_ms.push(await timed(() => aggregate(owner_url, late)));
    rebuild_ms.push(
      await timed(async () => {
        await markForRebuild(db, organization.id, late.store_id);
        await settle(db, organization.id);
      }),
    );
  }
  const ratio = median(rebuild_ms) / median(sql_ms);
  const live = await liveMinutes(db, owner_url, organization, until);
  const document = {
    late_rows,
    late_store_s: round2(late_store_s),
    ingest_alone_s: round2(ingest_ms / 1000),
    differences: wrong,
    other_store_rows_rewritten,
    sql_aggregate_ms: Math.round(median(sql_ms)),
    rebuild_ms: Math.round(median(rebuild_ms)),
    rebuild_ratio_to_sql: round2(ratio),
    live_minutes: live.measured,
    live_minute_growth: live.growth,
  };
  return {
    document,
    lines: [
      `${late_rows} rows, ${days} days late: right after ${document.late_store_s} s (limit 3), ${wrong} differences`,
      `the same rows through ingest alone      ${document.ingest_alone_s} s`,
      `rows of other stores rewritten          ${other_store_rows_rewritten} (limit 0)`,
      `one SQL aggregate of the same rows      ${document.sql_aggregate_ms} ms`,
      `rebuild of hours, store hours and days  ${document.rebuild_ms} ms, ratio ${document.rebuild_ratio_to_sql} (limit 1.5)`,
      ...live.lines,
    ],
  };
}

/** As in the service: the worker beside the batches. */
async function lateStore(
  db: Database,
  organization_id: string,
  gateway: GatewayIdentity,
  backlog: readonly Batch[],
): Promise<number> {
  const rollups = rollupWorker({ db, metrics: new Metrics(), clock, log: silentLog });
  await rollups.start();
  const took_ms = await timed(async () => {
    await deliver(db, gateway, backlog, () => rollups.wake());
    for (;;) {
      const { dirty_hours, dirty_days } = await rollupState(db, organization_id);
      if (dirty_hours + dirty_days === 0) break;
      rollups.wake();
      await clock.sleep(10);
    }
  });
  await rollups.stop();
  return took_ms / 1000;
}

/** Hours and days that are not what the rows say. */
async function differences(owner_url: string, { store_id }: GatewayIdentity): Promise<number> {
  const [found] = await runOnce(owner_url, (query) =>
    query<{ n: number }>(
      `with raw as (
         select sensor_id, date_trunc('hour', "timestamp", 'Europe/Madrid') as h,
           sum(in_count) as i, sum(out_count) as o
         from people_counting_raw where store_id = $1 group by 1, 2
       )
       select (select count(*) from raw full join (
           select * from hourly_analytics where store_id = $1) a
           on a.sensor_id = raw.sensor_id and a.start_time = raw.h
           where (a.total_in, a.total_out) is distinct from (raw.i, raw.o))
         + (select count(*) from (select (h at time zone 'Europe/Madrid')::date as d, sum(i) as i
             from raw group by 1) r
           full join (select * from daily_analytics where store_id = $1) a on a.date = r.d
           where a.total_in is distinct from r.i) as n`,
      [store_id],
    ),
  );
  return found?.n ?? Number.NaN;
}

/** Every row of a store's results and where it stands: a rewritten row stands elsewhere. */
async function versions(owner_url: string, { store_id }: GatewayIdentity): Promise<string[]> {
  const found = await runOnce(owner_url, (query) =>
    query<{ row: string }>(
      `select 'h' || ctid || id as row from hourly_analytics where store_id = $1
       union all select 's' || ctid || start_time from store_hourly where store_id = $1
       union all select 'd' || ctid || id from daily_analytics where store_id = $1`,
      [store_id],
    ),
  );
  return found.map(({ row }) => row);
}

/** The least that anybody would have to do: sensor hours of one store, written to a table. */
async function aggregate(owner_url: string, { organization_id, store_id }: GatewayIdentity) {
  await runOnce(owner_url, (query) =>
    query(
      `create temporary table by_hand as
       select organization_id, store_id, sensor_id,
         date_trunc('hour', "timestamp", 'Europe/Madrid') as start_time, sum(in_count) as total_in,
         sum(out_count) as total_out, sum(interval_s) as covered_s, count(*) as readings
       from people_counting_raw
       where organization_id = '${organization_id}' and store_id = '${store_id}'
       group by 1, 2, 3, 4`,
    ),
  );
}
