/** Raw counts of a store as ingest writes them, with the marks that ingest makes. */
import type { TestStore } from './hq.ts';
import type { TestDatabase } from './postgres.ts';

export interface Count {
  readonly sensor_id: string;
  readonly at: Date | number;
  readonly in: number;
  readonly out?: number;
  readonly interval_s?: number;
}

export async function insertCounts(
  hq: TestDatabase,
  store: TestStore,
  counts: readonly Count[],
): Promise<void> {
  await hq.asOwner(
    `with inserted as (
       insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id,
         in_count, out_count, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, to_timestamp(ms / 1000), sensor_id, ins, outs, s, gen_random_uuid(), 1, now()
       from unnest($3::text[], $4::float8[], $5::int[], $6::int[], $7::real[])
         as c (sensor_id, ms, ins, outs, s)
       on conflict do nothing returning "timestamp"
     )
     insert into app.rollup_dirty as d (organization_id, store_id, bucket)
     select distinct $1::uuid, $2::uuid, date_trunc('hour', "timestamp",
       (select timezone from stores where id = $2)) as b from inserted order by b
     on conflict (organization_id, store_id, bucket) do update set n = d.n + 1`,
    [
      store.organization.id,
      store.store_id,
      counts.map((one) => one.sensor_id),
      counts.map((one) => Number(one.at)),
      counts.map((one) => one.in),
      counts.map((one) => one.out ?? 0),
      counts.map((one) => one.interval_s ?? 60),
    ],
  );
}

/** A counting line that HQ waits for. */
export async function addLine(
  hq: TestDatabase,
  store: TestStore,
  sensor_id: string,
  options: { role?: string; from?: Date } = {},
): Promise<void> {
  await hq.asOwner(
    `insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type, role,
       counting_from) values ($1, $2, $3, 'line', $4, $5)`,
    [
      store.organization.id,
      store.store_id,
      sensor_id,
      options.role ?? null,
      options.from ?? new Date(0),
    ],
  );
}

/** Everything that is computed, without what says when. */
export async function results(hq: TestDatabase, store: TestStore): Promise<unknown[]> {
  const tables = [
    'hourly_analytics',
    'store_hourly',
    'daily_analytics',
    'zone_hourly',
    'gap_estimates',
  ];
  const all = tables.map((table) =>
    hq.asOwner<{ row: string }>(
      `select (to_jsonb(t) - 'id' - 'created_at' - 'updated_at' - 'revised_at')::text as row
       from ${table} t where store_id = $1 order by 1`,
      [store.store_id],
    ),
  );
  return (await Promise.all(all)).flat().map(({ row }) => row);
}
