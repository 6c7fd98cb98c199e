/**
 * One batch, one transaction, as the gateway's tenant: raw rows, dirty marks, latest state, ledger.
 * When the answer says 200, all of it is on disk; when it does not, none of it is.
 */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import type { Database, Transaction } from '../db/pool.ts';
import { sqlState } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import { scopeOf } from '../gateways/credentials.ts';
import { keepRows, minutesOf, monthOf } from './batch-columns.ts';
import { insertKnownInPart } from './known-readings.ts';
import type { Opening } from './ledger.ts';
import { openBatch, recordAnswer } from './ledger.ts';
import { insertNew, markHours } from './raw-readings.ts';
import type { KeptReadings } from './sensors.ts';
import { registerSensors, updateLatest } from './sensors.ts';
import { takeSettled } from './settled.ts';

type Rejection = BatchAnswer['rejected'][number];
const unique_violation = '23505';
/** A batch that meets another delivery of its rows goes the careful way; again where it meets more. */
const tries_max = 4;

/**
 * Stores a validated batch.
 *
 * Its readings are new unless the ledger says otherwise, and are inserted as new: looking each one
 * up first costs a third of the speed. Where that meets a row, nothing of it stays, and the batch
 * goes the careful way, row by row.
 *
 * @param body_sha256 of the inflated body: tells a replay from a reused id.
 * @throws credential_refused, batch_in_flight, batch_conflict, database_unavailable
 */
export async function ingestBatch(
  db: Database,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
): Promise<BatchAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.inTenant(scopeOf(gateway), 'app_ingest', async (tx) => {
        const opening = await openBatch(tx, gateway, batch, body_sha256);
        if (opening.earlier !== undefined) return opening.earlier;
        const isNew = attempt === 1 && opening.known.length === 0;
        const record = (unstored: Unstored) => {
          const answer = answerTo(batch, unstored);
          return recordAnswer(tx, gateway, batch, { body_sha256, answer, opening });
        };
        return store(tx, gateway, batch, { ...opening, isNew, record });
      });
    } catch (error) {
      if (sqlState(error) !== unique_violation) throw error;
      // Nothing is wrong with the readings: others were quicker, each time.
      if (attempt === tries_max) {
        throw new FootbridgeError('batch_in_flight', batch.batch_id, { retry_after_s: 1 });
      }
    }
  }
}

/** What became of the rows of a batch that were not accepted. */
interface Unstored {
  readonly duplicate: number;
  readonly rejected: readonly Rejection[];
}
/** Writes the answer to the ledger. */
type ToLedger = (unstored: Unstored) => Promise<BatchAnswer>;

async function store(
  tx: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  opening: Opening & { isNew: boolean; record: ToLedger },
): Promise<BatchAnswer> {
  const { timezone, isNew, record } = opening;
  const unsettled = takeSettled(batch, opening.isTold ? opening.known : []);
  const counts = withPartition(unsettled.counts, opening.count_months);
  const zones = withPartition(unsettled.zones, opening.zone_months);
  const { sensors, regions, epoch } = batch;
  const readings = { sensors, regions, counts: counts.kept, zones: zones.kept };
  const rejected = [...unsettled.rejected, ...counts.rejected, ...zones.rejected];
  if (isNew) {
    const toLedger = () => record({ duplicate: 0, rejected });
    return storeNew(tx, gateway, readings, { timezone, record: toLedger });
  }
  await registerSensors(tx, gateway, readings);
  const known = await insertKnownInPart(tx, gateway, readings, { timezone, epoch });
  await updateLatest(tx, gateway, withoutRefused(readings, known.rejected));
  const duplicate = unsettled.duplicate + known.duplicate;
  return record({ duplicate, rejected: [...rejected, ...known.rejected] });
}

/**
 * In one round trip, and what other batches of the gateway may wait for last: the marks of the hour
 * that two share, the latest state, the epoch. They are held for the length of a commit.
 */
async function storeNew(
  tx: Transaction,
  gateway: GatewayIdentity,
  readings: KeptReadings,
  { timezone, record }: { timezone: string; record: () => Promise<BatchAnswer> },
): Promise<BatchAnswer> {
  const instants = [readings.counts.observed_at, readings.zones.observed_at];
  const minutes = new Set(instants.flatMap(minutesOf));
  const sent = await Promise.all([
    registerSensors(tx, gateway, readings),
    insertNew(tx, gateway, readings),
    markHours(tx, gateway, [...minutes], timezone),
    updateLatest(tx, gateway, readings),
    record(),
    tx.commit(),
  ]);
  return sent[4];
}

function answerTo(
  { batch_id, counts, zones }: Batch,
  { duplicate, rejected }: Unstored,
): Omit<BatchAnswer, 'ack_sequence'> {
  const sent = counts.sequence.length + zones.sequence.length;
  const inOrder = [...rejected].sort((a, b) => a.sequence - b.sequence);
  return { batch_id, accepted: sent - duplicate - rejected.length, duplicate, rejected: inOrder };
}

interface Dated {
  readonly sequence: readonly number[];
  readonly observed_at: readonly number[];
}

/** Sets rows aside for whose month there is no partition, before one of them refuses them all. */
function withPartition<C extends Dated>(
  columns: C,
  months: readonly string[],
): { kept: C; rejected: Rejection[] } {
  const known = new Set(months);
  const refused = new Set(
    [...new Set(minutesOf(columns.observed_at).map(monthOf))].filter((month) => !known.has(month)),
  );
  if (refused.size === 0) return { kept: columns, rejected: [] };
  const keep = columns.observed_at.map((instant) => !refused.has(monthOf(instant)));
  const rejected: Rejection[] = [];
  columns.sequence.forEach((sequence, row) => {
    if (keep[row]) return;
    const detail = `HQ keeps readings of ${months[0] ?? 'no month'} to ${months.at(-1) ?? 'no month'}, this one is of ${monthOf(columns.observed_at[row] ?? 0)}`;
    rejected.push({ sequence, code: 'no_partition', detail });
  });
  return { kept: keepRows(columns, keep), rejected };
}

function withoutRefused(readings: KeptReadings, rejected: readonly Rejection[]): KeptReadings {
  if (rejected.length === 0) return readings;
  const refused = new Set(rejected.map(({ sequence }) => sequence));
  const kept = <C extends Dated>(columns: C) =>
    keepRows(
      columns,
      columns.sequence.map((sequence) => !refused.has(sequence)),
    );
  return { ...readings, counts: kept(readings.counts), zones: kept(readings.zones) };
}
