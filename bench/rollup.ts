/**
 * A store that comes back after thirty days: how long until its hours and days are right, what that
 * costs the other stores, and how a rebuild compares with one SQL aggregate of the same rows.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrate } from '../cloud-sync/db/migrations.ts';
import { Database, runOnce } from '../cloud-sync/db/pool.ts';
import { openDatabaseServer } from '../cloud-sync/db/server.ts';
import { type GatewayIdentity, sha256 } from '../cloud-sync/gateways/credentials.ts';
import { enrollGateway } from '../cloud-sync/gateways/enroll.ts';
import { inviteGateway } from '../cloud-sync/gateways/registry.ts';
import { Admission } from '../cloud-sync/http/admission.ts';
import { ingestBatch } from '../cloud-sync/ingest/ingest-batch.ts';
import { Metrics } from '../cloud-sync/metrics.ts';
import { ensurePartitions } from '../cloud-sync/partitions.ts';
import { foldDays } from '../cloud-sync/rollups/fold-days.ts';
import { markForRebuild } from '../cloud-sync/rollups/mark-hours.ts';
import { rollUp } from '../cloud-sync/rollups/roll-up.ts';
import { rollupState } from '../cloud-sync/rollups/rollup-state.ts';
import { rollupWorker } from '../cloud-sync/rollups/rollup-worker.ts';
import type { Organization } from '../cloud-sync/tenants/organizations.ts';
import { addOrganization } from '../cloud-sync/tenants/organizations.ts';
import { addStore } from '../cloud-sync/tenants/stores.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { silentLog } from '../shared/runtime/log.ts';
import type { Batch } from '../shared/wire/batch.ts';
import { toBatch } from '../shared/wire/batch.ts';
import type { BufferedReading } from '../shared/wire/reading.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const sensors = 10;
const days = 30;
const minute_ms = 60_000;
/** As the gateway sends: at most 5,000 readings. */
const batch_minutes = 500;
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
  const fresh = await storeOf(db, organization, 'fresh');
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
  const live_ms = await liveMinute(db, late, until);
  const live_without_history_ms = await liveMinute(db, fresh, until);
  const document = {
    late_rows,
    late_store_s: round2(late_store_s),
    ingest_alone_s: round2(ingest_ms / 1000),
    differences: wrong,
    other_store_rows_rewritten,
    sql_aggregate_ms: Math.round(median(sql_ms)),
    rebuild_ms: Math.round(median(rebuild_ms)),
    rebuild_ratio_to_sql: round2(ratio),
    live_minute_ms: round2(live_ms),
    live_minute_without_history_ms: round2(live_without_history_ms),
  };
  return {
    document,
    lines: [
      `${late_rows} rows, ${days} days late: right after ${document.late_store_s} s (limit 3), ${wrong} differences`,
      `the same rows through ingest alone      ${document.ingest_alone_s} s`,
      `rows of other stores rewritten          ${other_store_rows_rewritten} (limit 0)`,
      `one SQL aggregate of the same rows      ${document.sql_aggregate_ms} ms`,
      `rebuild of hours, store hours and days  ${document.rebuild_ms} ms, ratio ${document.rebuild_ratio_to_sql} (limit 1.5)`,
      `a live minute, 30 days of history       ${document.live_minute_ms} ms`,
      `a live minute, no history               ${document.live_minute_without_history_ms} ms`,
    ],
  };
}

async function storeOf(
  db: Database,
  organization: Organization,
  code: string,
): Promise<GatewayIdentity> {
  const store = await addStore(db, organization, { code, name: code, timezone: 'Europe/Madrid' });
  const { token } = await inviteGateway(db, organization, code, clock.now());
  const request = { token, secret_hash: sha256(code).toString('hex'), name: code, version: '0' };
  const { gateway_id, credential_id } = await enrollGateway(db, request, clock.now());
  return { organization_id: organization.id, store_id: store.id, gateway_id, credential_id };
}

/** Every sensor once a minute; built beforehand, because the gateway's work is not measured here. */
function batches(from: number, until: number, first_sequence = 1): Batch[] {
  const all: Batch[] = [];
  const epoch = randomUUID();
  let sequence = first_sequence;
  for (let start = from; start < until; start += batch_minutes * minute_ms) {
    const readings: BufferedReading[] = [];
    for (let m = start; m < Math.min(until, start + batch_minutes * minute_ms); m += minute_ms) {
      for (let s = 0; s < sensors; s += 1) {
        const people = { in: (m / minute_ms + s) % 7, out: (m / minute_ms + 3 * s) % 6 };
        const times = { observed_at: m, interval_s: 60, received_at: m + minute_ms };
        readings.push({
          kind: 'count',
          sequence,
          sensor_id: `door-${s}`,
          ...times,
          ...people,
          flags: 0,
        });
        sequence += 1;
      }
    }
    const first = readings[0]?.sequence ?? 0;
    const identity = {
      batch_id: randomUUID(),
      epoch,
      first_sequence: first,
      last_sequence: sequence - 1,
    };
    all.push(toBatch(identity, readings));
  }
  return all;
}

/** As a gateway drains its backlog: in as many lanes as HQ grants to one that comes alone. */
async function deliver(
  db: Database,
  gateway: GatewayIdentity,
  all: readonly Batch[],
  delivered = () => {},
): Promise<void> {
  const { in_flight } = new Admission(() => clock.monotonic()).budget();
  const left = all.values();
  const lane = async () => {
    for (const one of left) {
      await ingestBatch(db, gateway, one, sha256(one.batch_id));
      delivered();
    }
  };
  await Promise.all(Array.from({ length: in_flight }, lane));
}

async function settle(db: Database, organization_id: string): Promise<void> {
  while ((await rollUp(db, organization_id)) > 0);
  while ((await foldDays(db, organization_id, clock.now())) > 0);
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

/** One minute of a store arrives and its hour and day are right again. */
async function liveMinute(db: Database, gateway: GatewayIdentity, from: number): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < 30; i += 1) {
    const at = from + i * minute_ms;
    const [one] = batches(at, at + minute_ms, 1_000_000 + i * sensors);
    took.push(
      await timed(async () => {
        await deliver(db, gateway, one === undefined ? [] : [one]);
        await settle(db, gateway.organization_id);
      }),
    );
  }
  return median(took);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = clock.monotonic();
  await work();
  return clock.monotonic() - start;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
