/**
 * What a gateway says that its log is made of, beside what HQ remembers: which of it HQ has, and what
 * went with a disk that was replaced by an older image of itself.
 */
import type { EpochReport, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Transaction } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';

/** As of a total that a heartbeat tells: sums over gateways stay numbers. */
const losses_max = 1_000_000_000_000;

interface Remembered {
  readonly epoch: string;
  readonly settled: [number, number][];
  /** Readings that were told or settled once, of which neither the gateway's log nor HQ has anything. */
  readonly lost: number;
  /** What the ledger says of them so far. */
  readonly noted: number;
  /** Told of now; else by a life of the buffer that is gone. */
  readonly is_told: boolean;
  /** The heartbeat tells more of it than any before. */
  readonly is_news: boolean;
}

/**
 * Compares, writes what is new, and answers with the sequences that HQ has settled of each told epoch,
 * whichever gateway of the store sent them.
 *
 * @param told oldest first; the last is the one that the gateway's process appends to.
 */
export async function rememberEpochs(
  tx: Transaction,
  gateway: GatewayIdentity,
  told: readonly EpochReport[],
): Promise<NonNullable<HeartbeatAnswer['epochs']>> {
  const once = [...new Map(told.map((one) => [one.epoch, one])).values()];
  if (once.length === 0) return [];
  const remembered = await compare(tx, gateway, once);
  const news = new Set(remembered.filter((one) => one.is_news).map(({ epoch }) => epoch));
  // In the order in which an ingest takes their locks.
  await Promise.all([
    setLost(
      tx,
      gateway,
      remembered.filter(({ lost, noted }) => lost !== noted),
    ),
    noteEpochs(
      tx,
      gateway,
      once.filter(({ epoch }) => news.has(epoch)),
    ),
  ]);
  return remembered
    .filter(({ is_told }) => is_told)
    .map(({ epoch, settled }) => ({ epoch, settled }));
}

/**
 * Sequences go on counting over the epochs of a log, and it loses its oldest ones first. So an epoch
 * that this gateway told of once and tells of no more was trimmed if it is older than all that are
 * told; else it is of a life of which the disk knows nothing. Of one that is told, what lies beyond its
 * present end is of such a life. The last of them is still being written and has lost nothing.
 *
 * An image from before a change of keys has to enrol anew, and is another gateway then: whoever told of
 * one of its epochs, and was not heard since, is what it was before. A copy of a disk that counts
 * elsewhere is heard, and what it tells of is its own to account for. What is in the ledger of one
 * gateway is not told again in that of the next.
 */
async function compare(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  told: readonly EpochReport[],
): Promise<Remembered[]> {
  return query<Remembered>(
    `with told as (
       select * from unnest($4::uuid[], $5::bigint[], $6::bigint[]) with ordinality
         as t (epoch, first_sequence, last_sequence, place)
     ), silent as (
       select gateway_id from app.gateway_state where organization_id = $1 and store_id = $2
         and heartbeat_at < (select enrolled_at from app.gateways
           where organization_id = $1 and id = $3)
     ), former as (
       select distinct gateway_id from app.gateway_epochs join silent using (gateway_id)
       where organization_id = $1 and store_id = $2 and epoch = any ($4)
     ), others as (
       select epoch from app.gateway_epochs where organization_id = $1 and store_id = $2
         and gateway_id <> $3 and gateway_id not in (select gateway_id from silent)
     ), own as (
       select epoch, min(first_sequence) as first_sequence, max(last_sequence) as last_sequence,
         range_agg(settled) as settled,
         min(first_sequence) filter (where gateway_id = $3) as own_first,
         max(last_sequence) filter (where gateway_id = $3) as own_last
       from app.gateway_epochs where organization_id = $1 and (gateway_id = $3
         or gateway_id in (select gateway_id from former) and epoch not in (select epoch from others))
       group by epoch
     ), part as (
       select epoch, t.first_sequence, t.last_sequence, place, o.last_sequence as reached,
         o.settled as delivered,
         coalesce(own_first > t.first_sequence or own_last < t.last_sequence, true) as is_news
       from told t left join own o using (epoch)
       union all
       select epoch, first_sequence, first_sequence - 1, null, last_sequence, settled, false
       from own where epoch <> all ($4)
         and first_sequence >= (select min(first_sequence) from told)
     ), known as (
       select p.*, place is not null as is_told,
         greatest(p.first_sequence, p.last_sequence + 1) as ending,
         coalesce((select range_agg(e.settled) from app.gateway_epochs e
           where e.organization_id = $1 and e.store_id = $2 and e.epoch = p.epoch), '{}') as settled,
         greatest(p.first_sequence, p.last_sequence + 1, p.reached + 1, upper(p.delivered)) as ended
       from part p
     )
     select place, epoch, is_told, is_news,
       coalesce((select json_agg(array[lower(r), upper(r) - 1]) from unnest(settled
         * int8multirange(int8range(first_sequence, ending))) r),
         '[]') as settled,
       case when place = (select max(place) from told) then 0 else
         greatest(0, least($7, coalesce((select sum(upper(r) - lower(r)) from unnest(
           int8multirange(int8range(ending, ended)) - settled) r), 0))
           - coalesce((select sum(l.count) from app.gateway_losses l where l.organization_id = $1
             and l.gateway_id in (select gateway_id from former) and l.epoch = known.epoch
             and l.source = 'disk' and l.reason = 'lost_with_image'), 0))::bigint
       end as lost,
       coalesce((select l.count from app.gateway_losses l where l.organization_id = $1
         and l.gateway_id = $3 and l.epoch = known.epoch
         and l.source = 'disk' and l.reason = 'lost_with_image'), 0) as noted
     from known
     union all
     -- Of a gateway that was silent, and is heard again.
     select null, epoch, false, false, '[]', 0, count from app.gateway_losses
     where organization_id = $1 and gateway_id = $3 and source = 'disk'
       and reason = 'lost_with_image' and epoch not in (select epoch from own)
     order by place`,
    [
      organization_id,
      store_id,
      gateway_id,
      told.map(({ epoch }) => epoch),
      told.map(({ first_sequence }) => first_sequence),
      told.map(({ last_sequence }) => last_sequence),
      losses_max,
    ],
  );
}

/** Not only up: an image younger than the last one brings some of them back. */
async function setLost(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  changed: readonly Remembered[],
): Promise<void> {
  if (changed.length === 0) return;
  await query(
    `insert into app.gateway_losses
       (organization_id, gateway_id, store_id, epoch, source, reason, count)
     select $1, $2, $3, epoch, 'disk', 'lost_with_image', count
     from unnest($4::uuid[], $5::bigint[]) as s (epoch, count) order by epoch
     on conflict (organization_id, gateway_id, epoch, source, reason) do update set
       count = excluded.count, updated_at = now()`,
    [
      organization_id,
      gateway_id,
      store_id,
      changed.map(({ epoch }) => epoch),
      changed.map(({ lost }) => lost),
    ],
  );
}

async function noteEpochs(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  news: readonly EpochReport[],
): Promise<void> {
  if (news.length === 0) return;
  await query(
    `insert into app.gateway_epochs as e
       (organization_id, gateway_id, store_id, epoch, first_sequence, last_sequence)
     select $1, $2, $3, epoch, first_sequence, last_sequence
     from unnest($4::uuid[], $5::bigint[], $6::bigint[]) as s (epoch, first_sequence, last_sequence)
     order by epoch
     on conflict (organization_id, gateway_id, epoch) do update set
       first_sequence = least(e.first_sequence, excluded.first_sequence),
       last_sequence = greatest(e.last_sequence, excluded.last_sequence)`,
    [
      organization_id,
      gateway_id,
      store_id,
      news.map(({ epoch }) => epoch),
      news.map(({ first_sequence }) => first_sequence),
      news.map(({ last_sequence }) => last_sequence),
    ],
  );
}
