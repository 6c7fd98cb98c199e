/** The idempotency ledger: which batches are answered and which sequences are settled. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';

/** What HQ knows before it looks at a batch's readings. */
export interface Opening {
  /** The answer given to this batch before. */
  readonly earlier: BatchAnswer | undefined;
  /** Some sequence of its range is settled already: its readings may be known one by one. */
  readonly isKnownInPart: boolean;
  readonly timezone: string;
  /** Months that have a partition, as YYYY-MM. */
  readonly count_months: string[];
  readonly zone_months: string[];
}

/**
 * One look-up for all that, because a gateway's small batches are mostly round trips. Asks for the
 * credential again as well: between the header and the end of a body lie seconds on a slow line,
 * time enough to revoke a key.
 *
 * @throws credential_refused, batch_in_flight, batch_conflict
 */
export async function openBatch(
  { query }: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
): Promise<Opening> {
  const [found] = await query<{
    is_live: boolean;
    is_free: boolean;
    is_known_in_part: boolean | null;
    body_sha256: Buffer | null;
    answer: BatchAnswer | null;
    timezone: string;
    count_months: string[];
    zone_months: string[];
  }>(
    `select exists (select from app.gateway_credentials c
         join app.gateways g on g.organization_id = c.organization_id and g.id = c.gateway_id
         where c.organization_id = $1 and c.id = $4 and c.revoked_at is null
           and g.revoked_at is null) as is_live,
       pg_try_advisory_xact_lock(hashtextextended($5::text, 0)) as is_free,
       (select e.settled && int8range($7, $8, '[]') from app.gateway_epochs e
         where e.organization_id = $1 and e.gateway_id = $3 and e.epoch = $6) as is_known_in_part,
       b.body_sha256, b.answer, s.timezone,
       app.partition_months('people_counting_raw') as count_months,
       app.partition_months('regional_counting_raw') as zone_months
     from public.stores s
     left join app.ingest_batches b
       on b.organization_id = s.organization_id and b.gateway_id = $3 and b.batch_id = ($5::text)::uuid
     where s.organization_id = $1 and s.id = $2`,
    [
      gateway.organization_id,
      gateway.store_id,
      gateway.gateway_id,
      gateway.credential_id,
      batch.batch_id,
      batch.epoch,
      batch.first_sequence,
      batch.last_sequence,
    ],
  );
  if (found === undefined) throw new Error('the store of the credential is not visible');
  if (!found.is_live) throw new FootbridgeError('credential_refused');
  if (!found.is_free) {
    throw new FootbridgeError('batch_in_flight', batch.batch_id, { retry_after_s: 1 });
  }
  if (found.body_sha256 !== null && !found.body_sha256.equals(body_sha256)) {
    throw new FootbridgeError('batch_conflict', `batch ${batch.batch_id} had another body before`);
  }
  const { timezone, count_months, zone_months } = found;
  const isKnownInPart = found.is_known_in_part ?? false;
  return { earlier: found.answer ?? undefined, isKnownInPart, timezone, count_months, zone_months };
}

/**
 * Adds the batch's range to what is settled of this epoch and keeps the answer for a replay. Last
 * statement of an ingest on purpose: it locks the epoch's row, and batches of one gateway that come
 * at the same time must wait for each other as briefly as they can.
 *
 * @returns the answer with the sequence up to which nothing is missing; 0 while the first is.
 */
export async function recordAnswer(
  { query }: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  body_sha256: Buffer,
  answer: Omit<BatchAnswer, 'ack_sequence'>,
): Promise<BatchAnswer> {
  const [recorded] = await query<{ answer: BatchAnswer }>(
    `with epoch as (
       insert into app.gateway_epochs as e (organization_id, gateway_id, epoch, store_id, settled)
       values ($1, $2, $3, $4, int8multirange(int8range($5, $6, '[]')))
       on conflict (organization_id, gateway_id, epoch)
         do update set settled = e.settled + excluded.settled
       returning coalesce(
         (select upper(r) - 1 from unnest(settled) r where r @> 1::bigint), 0) as ack_sequence
     )
     insert into app.ingest_batches (organization_id, gateway_id, batch_id, store_id, epoch,
       first_sequence, last_sequence, body_sha256, answer)
     select $1, $2, $7, $4, $3, $5, $6, $8, $9::jsonb || jsonb_build_object('ack_sequence', ack_sequence)
     from epoch returning answer`,
    [
      gateway.organization_id,
      gateway.gateway_id,
      batch.epoch,
      gateway.store_id,
      batch.first_sequence,
      batch.last_sequence,
      batch.batch_id,
      body_sha256,
      JSON.stringify(answer),
    ],
  );
  if (recorded === undefined) throw new Error('the answer was not written');
  return recorded.answer;
}
