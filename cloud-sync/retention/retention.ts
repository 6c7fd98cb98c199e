/** What is kept how long. Raw months are archived, then dropped; the rest is deleted by its date. */
import { rm } from 'node:fs/promises';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Database } from '../db/pool.ts';
import type { RawRelation } from './archive.ts';
import { readManifest, readRows, writeArchive } from './archive.ts';
import type { Bucket } from './bucket.ts';
import { sendArchive } from './bucket-archive.ts';

/** A month more than two years: a comparison with a 53-week year still finds its base. */
const deletions = [
  [
    'hourly_analytics',
    `delete from public.hourly_analytics
    where organization_id = $1 and start_time < $2::timestamptz - interval '2 years 1 month'`,
  ],
  [
    'store_hourly',
    `delete from public.store_hourly
    where organization_id = $1 and start_time < $2::timestamptz - interval '2 years 1 month'`,
  ],
  [
    'zone_hourly',
    `delete from public.zone_hourly
    where organization_id = $1 and start_time < $2::timestamptz - interval '2 years 1 month'`,
  ],
  [
    'gap_estimates',
    `delete from public.gap_estimates
    where organization_id = $1 and start_time < $2::timestamptz - interval '2 years 1 month'`,
  ],
  [
    'daily_analytics',
    `delete from public.daily_analytics
    where organization_id = $1 and date < $2::timestamptz - interval '5 years'`,
  ],
  // Resolved for a year: out of sight; for two: gone. An open alert is nobody's past.
  [
    'alerts put away',
    `update public.alerts set deleted_at = $2
    where organization_id = $1 and resolved_at < $2::timestamptz - interval '1 year'
      and deleted_at is null`,
  ],
  // What was told of an alert that is still open keeps it from being told as new.
  [
    'notifications',
    `delete from public.notifications n
    where n.organization_id = $1 and n.created_at < $2::timestamptz - interval '1 year'
      and n.state <> 'waiting' and not exists (
        select from app.notification_alerts t
        join public.alerts a on a.organization_id = $1 and a.id = t.alert_id
        where t.organization_id = $1 and t.notification_id = n.id and not a.is_resolved)`,
  ],
  [
    'alerts',
    `delete from public.alerts
    where organization_id = $1 and deleted_at < $2::timestamptz - interval '1 year'`,
  ],
] as const;
const relations: readonly RawRelation[] = ['people_counting_raw', 'regional_counting_raw'];
const raw_days = 90;
/** Younger ones get partitions each night (cloud-sync/partitions.ts). */
const months_open = 3;
const page_rows = 5_000;

export interface DueMonth {
  readonly relation: RawRelation;
  /** YYYY-MM, UTC. */
  readonly month: string;
  readonly rows: number;
}

/** Raw months of which every reading is older than is kept. */
export function dueMonths(db: Database, now_ms: number): Promise<DueMonth[]> {
  return db.inTenant({}, 'app_retention', ({ query }) =>
    query<DueMonth>(
      `select relation, month, app.month_rows(relation, (month || '-01')::date) as rows
       from unnest($1::text[]) as relation, unnest(app.partition_months(relation)) as month
       where (month || '-01')::date + interval '1 month'
           <= ($2::timestamptz at time zone 'UTC') - make_interval(days => $3)
         and (month || '-01')::date
           < date_trunc('month', $2::timestamptz at time zone 'UTC') - make_interval(months => $4)
       order by 1, 2`,
      [relations, new Date(now_ms), raw_days, months_open],
    ),
  );
}

export interface RetentionRun {
  readonly archived: (DueMonth & { readonly archive: string; readonly dropped: boolean })[];
  /** Rows by table. */
  readonly deleted: Record<string, number>;
}

/**
 * With a bucket, `archive_dir` holds each month only until the bucket has it.
 *
 * @throws archive_damaged when a file does not read back as it was written, archive_unreachable;
 *   the month is not dropped then.
 */
export async function runRetention(
  db: Database,
  options: { archive_dir: string; bucket?: Bucket | undefined; clock: Clock },
): Promise<RetentionRun> {
  const now_ms = options.clock.now();
  const organizations = await everyOrganization(db);
  const archived: RetentionRun['archived'] = [];
  for (const due of await dueMonths(db, now_ms)) {
    const { relation, month } = due;
    const about = { relation, month, created_at: new Date(now_ms).toISOString() };
    const { directory, manifest } = await writeArchive(
      options.archive_dir,
      about,
      organizations,
      (organization_id) => rowsOf(db, organization_id, due),
    );
    let archive = directory;
    if (options.bucket !== undefined) {
      const sending = sendArchive(options.bucket, directory, manifest);
      archive = await sending.finally(() => rm(directory, { recursive: true }));
    }
    const [row] = await db.inTenant({}, 'app_retention', ({ query }) =>
      query<{ dropped: boolean }>('select app.drop_month($1, $2, $3) as dropped', [
        relation,
        `${month}-01`,
        manifest.rows,
      ]),
    );
    archived.push({ ...due, rows: manifest.rows, archive, dropped: row?.dropped === true });
  }
  const deleted: Record<string, number> = {};
  for (const organization_id of organizations) {
    for (const [name, text] of deletions) {
      const rows = await db.inTenant({ organization_id }, 'app_retention', ({ query }) =>
        query(`${text} returning 1`, [organization_id, new Date(now_ms)]),
      );
      deleted[name] = (deleted[name] ?? 0) + rows.length;
    }
  }
  return { archived, deleted };
}

/** Brings a month back from its directory; rows that are there already stay. */
export async function restoreMonth(
  db: Database,
  directory: string,
): Promise<DueMonth & { readonly restored: number }> {
  const { relation, month, rows, files } = await readManifest(directory);
  await db.inTenant({}, 'app_retention', ({ query }) =>
    query('select app.open_month($1, $2)', [relation, `${month}-01`]),
  );
  let restored = 0;
  for (const file of files) {
    const { organization_id } = file;
    const insert = async (page: string[]) => {
      const inserted = await db.inTenant({ organization_id }, 'app_retention', ({ query }) =>
        query(
          `insert into public.${relation}
           select * from jsonb_populate_recordset(null::public.${relation}, $1::jsonb)
           on conflict do nothing returning 1`,
          [`[${page.join(',')}]`],
        ),
      );
      restored += inserted.length;
    };
    let page: string[] = [];
    for await (const row of readRows(directory, file)) {
      page.push(row);
      if (page.length < page_rows) continue;
      await insert(page);
      page = [];
    }
    await insert(page);
  }
  return { relation, month, rows, restored };
}

async function everyOrganization(db: Database): Promise<string[]> {
  // Those that were put away too: their readings age like the others.
  const rows = await db.inTenant({}, 'app_operator', ({ query }) =>
    query<{ id: string }>('select id from public.organizations order by id'),
  );
  return rows.map(({ id }) => id);
}

/** Page by page along the key, so that a month of any size takes the memory of one page. */
async function* rowsOf(
  db: Database,
  organization_id: string,
  { relation, month }: DueMonth,
): AsyncIterable<string> {
  const key = ['store_id', '"timestamp"', 'sensor_id'];
  if (relation === 'regional_counting_raw') key.push('region_id');
  const list = key.join(', ');
  let after: string[] | undefined;
  for (;;) {
    const place = key.map((_, i) => `$${i + 3}`).join(', ');
    const page: { row: string; key: string[] }[] = await db.inTenant(
      { organization_id },
      'app_retention',
      ({ query }) =>
        query<{ row: string; key: string[] }>(
          `select to_jsonb(r)::text as row, array[${key.map((one) => `${one}::text`)}] as key
          from public.${relation} r
          where organization_id = $1 and "timestamp" >= ($2 || '-01')::timestamp at time zone 'UTC'
            and "timestamp" < (($2 || '-01')::timestamp + interval '1 month') at time zone 'UTC'
            ${after === undefined ? '' : `and (${list}) > (${place})`}
          order by ${list} limit ${page_rows}`,
          [organization_id, month, ...(after ?? [])],
        ),
    );
    for (const { row } of page) yield row;
    after = page.at(-1)?.key;
    if (page.length < page_rows) return;
  }
}
