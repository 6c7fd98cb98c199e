/** The idempotency ledger: which batches are answered and which sequences are settled. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import type { Ranges } from './settled.ts';
import { isWithin, multirangeOf, pointsOf } from './settled.ts';

/** What HQ knows before it looks at a batch's readings. */
export interface Opening {
  /** The answer given to this batch before. */
  readonly earlier: BatchAnswer | undefined;
  /** Of the sequences that it settles, those that were before: its readings may be known one by one. */
  readonly known: Ranges;
  /** Heartbeats told of its epoch: none of its sequences was ever another reading's. */
  readonly isTold: boolean;
  readonly timezone: string;
  /** Months that have a partition, as YYYY-MM. */
  readonly count_months: string[];
  readonly zone_months: string[];
}

/** What a batch settles, of four parameters: its range, `absent` and `included`. */
const batchSettles = (first: number) =>
  `int8multirange(int8range($${first}, $${first + 1}, '[]')) - $${first + 2}::int8multirange
     + $${first + 3}::int8multirange`;

function settling({ first_sequence, last_sequence, absent, included }: Batch): unknown[] {
  return [first_sequence, last_sequence, pointsOf(absent), pointsOf(included)];
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
    known: [number, number][] | null;
    is_told: boolean | null;
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
       (select json_agg(array[lower(r), upper(r) - 1]) from unnest(e.known) r) as known, e.is_told,
       b.body_sha256, b.answer, s.timezone,
       app.partition_months('people_counting_raw') as count_months,
       app.partition_months('regional_counting_raw') as zone_months
     from public.stores s
     left join app.ingest_batches b
       on b.organization_id = s.organization_id and b.gateway_id = $3 and b.batch_id = ($5::text)::uuid
     -- Also what a gateway settled that had this buffer before and enrolled anew.
     left join lateral (
       select range_agg(e.settled * (${batchSettles(7)})) as known,
         bool_or(e.first_sequence is not null) as is_told
       from app.gateway_epochs e
       where e.organization_id = $1 and e.store_id = $2 and e.epoch = $6
     ) e on true
     where s.organization_id = $1 and s.id = $2`,
    [
      gateway.organization_id,
      gateway.store_id,
      gateway.gateway_id,
      gateway.credential_id,
      batch.batch_id,
      batch.epoch,
      ...settling(batch),
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
  const settled = { known: found.known ?? [], isTold: found.is_told ?? false };
  return { earlier: found.answer ?? undefined, ...settled, timezone, count_months, zone_months };
}

/** What {@link recordAnswer} writes down. */
export interface Settlement {
  readonly body_sha256: Buffer;
  readonly answer: Omit<BatchAnswer, 'ack_sequence'>;
  readonly opening: Opening;
}

/**
 * Adds what the batch settles to what is settled of this epoch and keeps the answer for a replay.
 * Last statements of an ingest on purpose: they lock the epoch's row, and batches of one gateway that
 * come at the same time must wait for each other as briefly as they can.
 *
 * @returns the answer with the sequence up to which nothing is missing; 0 while the first is.
 * @throws DatabaseError 23505 where one of its sequences was settled since {@link openBatch}.
 */
export async function recordAnswer(
  tx: Transaction,
  gateway: GatewayIdentity,
  batch: Batch,
  settlement: Settlement,
): Promise<BatchAnswer> {
  const [, answer] = await Promise.all([
    recordRefusals(tx, gateway, batch.epoch, settlement),
    recordSettled(tx, gateway, batch, settlement),
  ]);
  return answer;
}

/**
 * What HQ refuses stands in its ledger with the transaction that refused it: the answer may never
 * reach a gateway whose disk is lost. A sequence that was settled before stands there already; that
 * of an epoch which nobody told may have been another reading's.
 */
async function recordRefusals(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  epoch: string,
  { answer, opening }: Settlement,
): Promise<void> {
  const counts = new Map<string, number>();
  for (const { sequence, code } of answer.rejected) {
    if (!opening.isTold && isWithin(opening.known, sequence)) continue;
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  if (counts.size === 0) return;
  await query(
    `insert into app.gateway_losses as l
       (organization_id, gateway_id, store_id, epoch, source, reason, count)
     select $1, $2, $3, $4, 'hq', reason, count
     from unnest($5::text[], $6::bigint[]) as s (reason, count) order by reason
     on conflict (organization_id, gateway_id, epoch, source, reason) do update set
       count = l.count + excluded.count, updated_at = now()`,
    [organization_id, gateway_id, store_id, epoch, [...counts.keys()], [...counts.values()]],
  );
}

async function recordSettled(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  batch: Batch,
  { body_sha256, answer, opening }: Settlement,
): Promise<BatchAnswer> {
  const [recorded] = await query<{ answer: BatchAnswer }>(
    `with epoch as (
       insert into app.gateway_epochs as e (organization_id, gateway_id, epoch, store_id, settled)
       values ($1, $2, $3, $4, ${batchSettles(5)})
       on conflict (organization_id, gateway_id, epoch)
         do update set settled = app.settle(e.settled, excluded.settled, $12)
       returning coalesce((select upper(r) - 1 from unnest(settled) r
         where r @> coalesce(first_sequence, 1)), 0) as ack_sequence
     )
     insert into app.ingest_batches (organization_id, gateway_id, batch_id, store_id, epoch,
       first_sequence, last_sequence, body_sha256, answer)
     select $1, $2, $9, $4, $3, $5, $6, $10, $11::jsonb || jsonb_build_object('ack_sequence', ack_sequence)
     from epoch returning answer`,
    [
      organization_id,
      gateway_id,
      batch.epoch,
      store_id,
      ...settling(batch),
      batch.batch_id,
      body_sha256,
      JSON.stringify(answer),
      opening.isTold ? multirangeOf(opening.known) : '{(,)}',
    ],
  );
  if (recorded === undefined) throw new Error('the answer was not written');
  return recorded.answer;
}
