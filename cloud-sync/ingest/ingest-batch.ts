/**
 * One batch, one transaction, as the gateway's tenant: ledger, raw rows, dirty marks, latest state.
 * When the answer says 200, all of it is on disk; when it does not, none of it is.
 */
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import type { Database, Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import { assertNotRevoked, scopeOf } from '../gateways/credentials.ts';
import { countRows, monthOf, zoneRows } from './batch-rows.ts';
import { earlierAnswer, recordAnswer, settleRange } from './ledger.ts';
import type { Rejection } from './raw-readings.ts';
import { insertCounts, insertZones } from './raw-readings.ts';
import { registerSensors, updateLatest } from './sensors.ts';

/**
 * Stores a validated batch.
 *
 * @param body_sha256 of the inflated body: tells a replay from a reused id.
 * @throws credential_refused, batch_conflict, database_unavailable
 */
export async function ingestBatch(
  db: Database,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
): Promise<BatchAnswer> {
  return db.inTenant(scopeOf(gateway), 'app_ingest', async (tx) => {
    await assertNotRevoked(tx, gateway);
    const ack_sequence = await settleRange(tx, gateway, batch);
    const earlier = await earlierAnswer(tx, gateway, batch, body_sha256);
    if (earlier !== undefined) return earlier;

    const outcome = await storeRows(tx, gateway, batch);
    const answer: BatchAnswer = { batch_id: batch.batch_id, ...outcome, ack_sequence };
    await recordAnswer(tx, gateway, batch, body_sha256, answer);
    return answer;
  });
}

async function storeRows(
  tx: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
): Promise<Pick<BatchAnswer, 'accepted' | 'duplicate' | 'rejected'>> {
  const store = await storeFacts(tx, gateway);
  const counts = withPartition(countRows(batch), store.count_months);
  const zones = withPartition(zoneRows(batch), store.zone_months);
  await registerSensors(tx, gateway, counts.rows, zones.rows);
  const facts = { timezone: store.timezone, epoch: batch.epoch };
  const inserted = [
    await insertCounts(tx, gateway, counts.rows, facts),
    await insertZones(tx, gateway, zones.rows, facts),
  ];
  const rejected: Rejection[] = [
    ...counts.rejected,
    ...zones.rejected,
    ...inserted.flatMap((part) => part.rejected),
  ].sort((a, b) => a.sequence - b.sequence);

  const refused = new Set(rejected.map(({ sequence }) => sequence));
  const kept = <R extends { sequence: number }>(rows: readonly R[]) =>
    rows.filter(({ sequence }) => !refused.has(sequence));
  await updateLatest(tx, gateway, kept(counts.rows), kept(zones.rows));

  const sent = batch.counts.sequence.length + batch.zones.sequence.length;
  const duplicate = inserted.reduce((sum, part) => sum + part.duplicate, 0);
  return { accepted: sent - duplicate - rejected.length, duplicate, rejected };
}

async function storeFacts(
  { query }: Transaction,
  gateway: GatewayIdentity,
): Promise<{ timezone: string; count_months: string[]; zone_months: string[] }> {
  const [store] = await query<{ timezone: string; count_months: string[]; zone_months: string[] }>(
    `select timezone, app.partition_months('people_counting_raw') as count_months,
       app.partition_months('regional_counting_raw') as zone_months
     from public.stores where organization_id = $1 and id = $2`,
    [gateway.organization_id, gateway.store_id],
  );
  if (store === undefined) throw new Error('the store of the credential is not visible');
  return store;
}

/** Sets rows aside for whose month there is no partition, before one of them refuses them all. */
function withPartition<R extends { sequence: number; observed_at: number }>(
  rows: readonly R[],
  months: readonly string[],
): { rows: R[]; rejected: Rejection[] } {
  const known = new Set(months);
  const rejected: Rejection[] = [];
  const kept = rows.filter((row) => {
    if (known.has(monthOf(row.observed_at))) return true;
    const detail = `HQ keeps readings of ${months[0] ?? 'no month'} to ${months.at(-1) ?? 'no month'}, this one is of ${monthOf(row.observed_at)}`;
    rejected.push({ sequence: row.sequence, code: 'no_partition', detail });
    return false;
  });
  return { rows: kept, rejected };
}
