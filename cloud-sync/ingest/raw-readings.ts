/**
 * Rows into the raw tables: `INSERT … SELECT unnest … ON CONFLICT DO NOTHING` works under row
 * security and behind any pooler at 134,000 rows a second; COPY does not work under row security.
 */
import type { BatchAnswer } from '../../shared/wire/batch.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import type { CountRow, ZoneRow } from './batch-rows.ts';

export type Rejection = BatchAnswer['rejected'][number];

/** What became of rows that were sent: the rest was accepted. */
export interface Insertion {
  readonly duplicate: number;
  readonly rejected: Rejection[];
}

/**
 * Inserts counts and marks their hours for recomputing, in one statement.
 *
 * @param timezone of the store: it decides where an hour starts.
 */
export async function insertCounts(
  tx: Transaction,
  gateway: GatewayIdentity,
  rows: readonly CountRow[],
  store: { timezone: string; epoch: string },
): Promise<Insertion> {
  if (rows.length === 0) return { duplicate: 0, rejected: [] };
  const columns = (of: readonly CountRow[]) => [
    of.map((row) => row.sequence),
    of.map((row) => row.sensor_id),
    of.map((row) => row.observed_at),
    of.map((row) => row.interval_s),
    of.map((row) => row.in),
    of.map((row) => row.out),
    of.map((row) => row.received_at),
    of.map((row) => row.flags),
  ];
  // Keys in one order everywhere, so that two gateways of a store cannot wait for each other.
  const missing = await tx.query<{ sequence: number }>(
    `with sent as (
       select * from unnest($4::bigint[], $5::text[], $6::float8[], $7::real[], $8::int[],
         $9::int[], $10::float8[], $11::int[])
         as s (sequence, sensor_id, observed_ms, interval_s, in_count, out_count, received_ms, flags)
     ), inserted as (
       insert into public.people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
         sensor_id, in_count, out_count, interval_s, flags, gateway_sequence, received_at)
       select $1, $2, $3, to_timestamp(observed_ms / 1000), sensor_id, in_count, out_count,
         interval_s, flags, sequence, to_timestamp(received_ms / 1000)
       from sent order by observed_ms, sensor_id, sequence
       on conflict do nothing
       returning "timestamp", gateway_sequence
     ), marked as (
       insert into app.rollup_dirty as d (organization_id, store_id, bucket)
       select distinct $1::uuid, $2::uuid, date_trunc('hour', i."timestamp", $12) as bucket
       from inserted i order by bucket
       on conflict (organization_id, store_id, bucket) do update set n = d.n + 1
     )
     select s.sequence from sent s
     where not exists (select from inserted i where i.gateway_sequence = s.sequence)`,
    [...tenantOf(gateway), ...columns(rows), store.timezone],
  );
  if (missing.length === 0) return { duplicate: 0, rejected: [] };
  const left = onlySequences(rows, missing);
  // A statement of its own: its snapshot sees the row that another transaction has just committed.
  // Materialized, because to_timestamp is not leakproof and would keep row security off the index;
  // LIMIT, because a freshly filled table looks small and was read whole (0.2 s for 2,000 rows).
  const found = await tx.query<Found & { in_count: number; out_count: number }>(
    `with sent as materialized (
       select *, to_timestamp(observed_ms / 1000) as observed_at
       from unnest($4::bigint[], $5::text[], $6::float8[], $7::real[], $8::int[], $9::int[],
         $10::float8[], $11::int[])
         as s (sequence, sensor_id, observed_ms, interval_s, in_count, out_count, received_ms, flags)
     )
     select s.sequence, p.gateway_sequence, p.in_count, p.out_count,
       p.in_count = s.in_count and p.out_count = s.out_count and p.interval_s = s.interval_s
         and p.flags = s.flags and ${sameOrigin} as same
     from sent s cross join lateral (
       select * from public.people_counting_raw p
       where p.organization_id = $1 and p.store_id = $2 and p."timestamp" = s.observed_at
         and p.sensor_id = s.sensor_id limit 1
     ) p`,
    [...tenantOf(gateway), ...columns(left), store.epoch],
  );
  return judge(
    left,
    found,
    (row, kept) =>
      `${row.sensor_id} at ${new Date(row.observed_at).toISOString()}: sent in ${row.in} out ${row.out}, ` +
      `HQ has in ${kept.in_count} out ${kept.out_count} from sequence ${kept.gateway_sequence}`,
  );
}

/** Inserts zone readings and marks their hours, as counts do. */
export async function insertZones(
  tx: Transaction,
  gateway: GatewayIdentity,
  rows: readonly ZoneRow[],
  store: { timezone: string; epoch: string },
): Promise<Insertion> {
  if (rows.length === 0) return { duplicate: 0, rejected: [] };
  const columns = (of: readonly ZoneRow[]) => [
    of.map((row) => row.sequence),
    of.map((row) => row.sensor_id),
    of.map((row) => row.region_id),
    of.map((row) => row.observed_at),
    of.map((row) => row.interval_s),
    of.map((row) => row.occupancy),
    of.map((row) => row.dwell_s),
    of.map((row) => row.received_at),
    of.map((row) => row.flags),
  ];
  const missing = await tx.query<{ sequence: number }>(
    `with sent as (
       select * from unnest($4::bigint[], $5::text[], $6::text[], $7::float8[], $8::real[],
         $9::int[], $10::real[], $11::float8[], $12::int[])
         as s (sequence, sensor_id, region_id, observed_ms, interval_s, occupancy, dwell_s,
           received_ms, flags)
     ), inserted as (
       insert into public.regional_counting_raw (organization_id, store_id, gateway_id,
         "timestamp", sensor_id, region_id, occupancy, dwell_time, interval_s, flags,
         gateway_sequence, received_at)
       select $1, $2, $3, to_timestamp(observed_ms / 1000), sensor_id, region_id, occupancy,
         dwell_s, interval_s, flags, sequence, to_timestamp(received_ms / 1000)
       from sent order by observed_ms, sensor_id, region_id, sequence
       on conflict do nothing
       returning "timestamp", gateway_sequence
     ), marked as (
       insert into app.rollup_dirty as d (organization_id, store_id, bucket)
       select distinct $1::uuid, $2::uuid, date_trunc('hour', i."timestamp", $13) as bucket
       from inserted i order by bucket
       on conflict (organization_id, store_id, bucket) do update set n = d.n + 1
     )
     select s.sequence from sent s
     where not exists (select from inserted i where i.gateway_sequence = s.sequence)`,
    [...tenantOf(gateway), ...columns(rows), store.timezone],
  );
  if (missing.length === 0) return { duplicate: 0, rejected: [] };
  const left = onlySequences(rows, missing);
  const found = await tx.query<Found & { occupancy: number | null }>(
    `with sent as materialized (
       select *, to_timestamp(observed_ms / 1000) as observed_at
       from unnest($4::bigint[], $5::text[], $6::text[], $7::float8[], $8::real[], $9::int[],
         $10::real[], $11::float8[], $12::int[])
         as s (sequence, sensor_id, region_id, observed_ms, interval_s, occupancy, dwell_s,
           received_ms, flags)
     )
     select s.sequence, p.gateway_sequence, p.occupancy,
       p.occupancy is not distinct from s.occupancy and p.dwell_time is not distinct from s.dwell_s
         and p.interval_s = s.interval_s and p.flags = s.flags and ${sameOrigin.replace('$12', '$13')}
         as same
     from sent s cross join lateral (
       select * from public.regional_counting_raw p
       where p.organization_id = $1 and p.store_id = $2 and p."timestamp" = s.observed_at
         and p.sensor_id = s.sensor_id and p.region_id = s.region_id limit 1
     ) p`,
    [...tenantOf(gateway), ...columns(left), store.epoch],
  );
  return judge(
    left,
    found,
    (row, kept) =>
      `${row.sensor_id} ${row.region_id} at ${new Date(row.observed_at).toISOString()}: ` +
      `sent occupancy ${row.occupancy}, HQ has ${kept.occupancy} from sequence ${kept.gateway_sequence}`,
  );
}

/**
 * The same row of the same buffer. A gateway that enrolled anew has another id, but its buffer
 * still has its epoch, which an earlier gateway of the store then used as well.
 */
const sameOrigin = `p.gateway_sequence = s.sequence and (p.gateway_id = $3 or p.gateway_id in (
  select e.gateway_id from app.gateway_epochs e
  where e.organization_id = $1 and e.store_id = $2 and e.epoch = $12))`;

interface Found {
  sequence: number;
  gateway_sequence: number;
  same: boolean;
}

function tenantOf(gateway: GatewayIdentity): string[] {
  return [gateway.organization_id, gateway.store_id, gateway.gateway_id];
}

function onlySequences<R extends { sequence: number }>(
  rows: readonly R[],
  wanted: readonly { sequence: number }[],
): R[] {
  const sequences = new Set(wanted.map(({ sequence }) => sequence));
  return rows.filter(({ sequence }) => sequences.has(sequence));
}

function judge<R extends { sequence: number }, F extends Found>(
  rows: readonly R[],
  found: readonly F[],
  explain: (row: R, kept: F) => string,
): Insertion {
  const kept = new Map(found.map((row) => [row.sequence, row]));
  const rejected: Rejection[] = [];
  let duplicate = 0;
  for (const row of rows) {
    const other = kept.get(row.sequence);
    if (other === undefined) throw new Error('a row was neither inserted nor found');
    if (other.same) duplicate += 1;
    else {
      const detail = explain(row, other);
      rejected.push({ sequence: row.sequence, code: 'reading_conflict', detail });
    }
  }
  return { duplicate, rejected };
}
