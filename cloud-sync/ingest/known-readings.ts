/**
 * Readings of a batch that HQ may have in part: a range that was sent before under another id, a
 * gateway that enrolled anew, two sensors under one name. Each row is stored, recognized, or refused
 * because HQ has something else in its place.
 */
import type { BatchAnswer } from '../../shared/wire/batch.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import { keepRows } from './batch-columns.ts';
import {
  countArrays,
  insertCounts,
  insertZones,
  sentCounts,
  sentZones,
  tenantOf,
  zoneArrays,
} from './raw-readings.ts';
import type { KeptReadings } from './sensors.ts';

type Rejection = BatchAnswer['rejected'][number];

/** What became of rows that were sent: the rest was accepted. */
interface Insertion {
  readonly duplicate: number;
  readonly rejected: Rejection[];
}

/** Inserts what is missing and marks its hours for recomputing. */
export async function insertKnownInPart(
  tx: Transaction,
  gateway: GatewayIdentity,
  readings: KeptReadings,
  store: { timezone: string; epoch: string },
): Promise<Insertion> {
  const counts = await insertKnownCounts(tx, gateway, readings, store);
  const zones = await insertKnownZones(tx, gateway, readings, store);
  return {
    duplicate: counts.duplicate + zones.duplicate,
    rejected: [...counts.rejected, ...zones.rejected],
  };
}

async function insertKnownCounts(
  tx: Transaction,
  gateway: GatewayIdentity,
  { counts, sensors }: KeptReadings,
  store: { timezone: string; epoch: string },
): Promise<Insertion> {
  if (counts.sequence.length === 0) return { duplicate: 0, rejected: [] };
  // Keys in one order everywhere, so that two gateways of a store cannot wait for each other.
  const missing = await tx.query<{ sequence: number }>(
    `with sent as (select * from ${sentCounts}
     ), inserted as (
       ${insertCounts} from sent order by observed_at, sensor_id, sequence
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
    [...tenantOf(gateway), ...countArrays(counts, sensors), store.timezone],
  );
  if (missing.length === 0) return { duplicate: 0, rejected: [] };
  const left = onlySequences(counts, missing);
  // A statement of its own: its snapshot sees the row that another transaction has just committed.
  // LIMIT, because a freshly filled table looks small and was read whole (0.2 s for 2,000 rows).
  const found = await tx.query<Found & { in_count: number; out_count: number }>(
    `select s.sequence, p.gateway_sequence, p.in_count, p.out_count,
       p.in_count = s.in_count and p.out_count = s.out_count and p.interval_s = s.interval_s
         and p.flags = s.flags and ${sameOrigin('$12')} as same
     from ${sentCounts} cross join lateral (
       select * from public.people_counting_raw p
       where p.organization_id = $1 and p.store_id = $2 and p."timestamp" = s.observed_at
         and p.sensor_id = s.sensor_id limit 1
     ) p`,
    [...tenantOf(gateway), ...countArrays(left, sensors), store.epoch],
  );
  return judge(left.sequence, found, (row, kept) => {
    const sensor_id = sensors[left.sensor[row] ?? 0];
    return (
      `${sensor_id} at ${isoOf(left.observed_at[row])}: sent in ${left.in[row]} out ${left.out[row]}, ` +
      `HQ has in ${kept.in_count} out ${kept.out_count} from sequence ${kept.gateway_sequence}`
    );
  });
}

async function insertKnownZones(
  tx: Transaction,
  gateway: GatewayIdentity,
  { zones, sensors, regions }: KeptReadings,
  store: { timezone: string; epoch: string },
): Promise<Insertion> {
  if (zones.sequence.length === 0) return { duplicate: 0, rejected: [] };
  const missing = await tx.query<{ sequence: number }>(
    `with sent as (select * from ${sentZones}
     ), inserted as (
       ${insertZones} from sent order by observed_at, sensor_id, region_id, sequence
       on conflict do nothing
       returning "timestamp", gateway_sequence
     ), marked as (
       insert into app.rollup_dirty as d (organization_id, store_id, bucket)
       select distinct $1::uuid, $2::uuid, date_trunc('hour', i."timestamp", $14) as bucket
       from inserted i order by bucket
       on conflict (organization_id, store_id, bucket) do update set n = d.n + 1
     )
     select s.sequence from sent s
     where not exists (select from inserted i where i.gateway_sequence = s.sequence)`,
    [...tenantOf(gateway), ...zoneArrays(zones, sensors, regions), store.timezone],
  );
  if (missing.length === 0) return { duplicate: 0, rejected: [] };
  const left = onlySequences(zones, missing);
  const found = await tx.query<Found & { occupancy: number | null }>(
    `select s.sequence, p.gateway_sequence, p.occupancy,
       p.occupancy is not distinct from s.occupancy and p.dwell_time is not distinct from s.dwell_s
         and p.max_dwell_time is not distinct from s.dwell_max_s
         and p.interval_s = s.interval_s and p.flags = s.flags and ${sameOrigin('$14')}
         as same
     from ${sentZones} cross join lateral (
       select * from public.regional_counting_raw p
       where p.organization_id = $1 and p.store_id = $2 and p."timestamp" = s.observed_at
         and p.sensor_id = s.sensor_id and p.region_id = s.region_id limit 1
     ) p`,
    [...tenantOf(gateway), ...zoneArrays(left, sensors, regions), store.epoch],
  );
  return judge(left.sequence, found, (row, kept) => {
    const sensor_id = sensors[left.sensor[row] ?? 0];
    const region_id = regions[left.region[row] ?? 0];
    return (
      `${sensor_id} ${region_id} at ${isoOf(left.observed_at[row])}: ` +
      `sent occupancy ${left.occupancy[row]}, HQ has ${kept.occupancy} from sequence ${kept.gateway_sequence}`
    );
  });
}

/**
 * The same row of the same buffer. A gateway that enrolled anew has another id, but its buffer
 * still has its epoch, which an earlier gateway of the store then used as well.
 *
 * @param epoch the parameter that holds it.
 */
function sameOrigin(epoch: `$${number}`): string {
  return `p.gateway_sequence = s.sequence and (p.gateway_id = $3 or p.gateway_id in (
    select e.gateway_id from app.gateway_epochs e
    where e.organization_id = $1 and e.store_id = $2 and e.epoch = ${epoch}))`;
}

interface Found {
  sequence: number;
  gateway_sequence: number;
  same: boolean;
}

function onlySequences<C extends { readonly sequence: readonly number[] }>(
  columns: C,
  wanted: readonly { sequence: number }[],
): C {
  const sequences = new Set(wanted.map(({ sequence }) => sequence));
  return keepRows(
    columns,
    columns.sequence.map((sequence) => sequences.has(sequence)),
  );
}

function judge<F extends Found>(
  sequences: readonly number[],
  found: readonly F[],
  explain: (row: number, kept: F) => string,
): Insertion {
  const kept = new Map(found.map((row) => [row.sequence, row]));
  const rejected: Rejection[] = [];
  let duplicate = 0;
  sequences.forEach((sequence, row) => {
    const other = kept.get(sequence);
    if (other === undefined) throw new Error('a row was neither inserted nor found');
    if (other.same) duplicate += 1;
    else rejected.push({ sequence, code: 'reading_conflict', detail: explain(row, other) });
  });
  return { duplicate, rejected };
}

function isoOf(instant_ms: number | undefined): string {
  return new Date(instant_ms ?? 0).toISOString();
}
