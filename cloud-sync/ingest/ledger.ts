/** The idempotency ledger: which batches are answered and which sequences are settled. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';

/**
 * Adds the batch's range to what is settled of this epoch. First statement of an ingest on purpose:
 * it locks the epoch's row, so two deliveries of one gateway follow each other, in any process.
 *
 * @returns the sequence up to which nothing is missing; 0 while the first is.
 */
export async function settleRange(
  { query }: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
): Promise<number> {
  const [epoch] = await query<{ ack_sequence: number }>(
    `insert into app.gateway_epochs as e (organization_id, gateway_id, epoch, store_id, settled)
     values ($1, $2, $3, $4, int8multirange(int8range($5, $6, '[]')))
     on conflict (organization_id, gateway_id, epoch)
       do update set settled = e.settled + excluded.settled
     returning coalesce(
       (select upper(r) - 1 from unnest(settled) r where r @> 1::bigint), 0) as ack_sequence`,
    [
      gateway.organization_id,
      gateway.gateway_id,
      batch.epoch,
      gateway.store_id,
      batch.first_sequence,
      batch.last_sequence,
    ],
  );
  if (epoch === undefined) throw new Error('the epoch was not written');
  return epoch.ack_sequence;
}

/** The answer given to this batch before, if any. @throws batch_conflict */
export async function earlierAnswer(
  { query }: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
): Promise<BatchAnswer | undefined> {
  const [entry] = await query<{ body_sha256: Buffer; answer: BatchAnswer }>(
    `select body_sha256, answer from app.ingest_batches
     where organization_id = $1 and gateway_id = $2 and batch_id = $3`,
    [gateway.organization_id, gateway.gateway_id, batch.batch_id],
  );
  if (entry !== undefined && !entry.body_sha256.equals(body_sha256)) {
    throw new FootbridgeError('batch_conflict', `batch ${batch.batch_id} had another body before`);
  }
  return entry?.answer;
}

export async function recordAnswer(
  { query }: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
  answer: BatchAnswer,
): Promise<void> {
  await query(
    `insert into app.ingest_batches (organization_id, gateway_id, batch_id, store_id, epoch,
       first_sequence, last_sequence, body_sha256, answer)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      gateway.organization_id,
      gateway.gateway_id,
      batch.batch_id,
      gateway.store_id,
      batch.epoch,
      batch.first_sequence,
      batch.last_sequence,
      body_sha256,
      JSON.stringify(answer),
    ],
  );
}
