/** What HQ's database has of a tortured store, past row security. */
import type { Span } from './buffer-contents.ts';
import type { LostPlace } from './disk-images.ts';
import type { StoreUnderTorture } from './store-under-torture.ts';

export interface HqContents {
  readonly rows: readonly (Span & { readonly people: number })[];
  readonly epochs: ReadonlyMap<string, HqEpoch>;
  /** Readings in the ledger as gone with a disk, by epoch. */
  readonly with_image: ReadonlyMap<string, number>;
  /** Readings in the ledger of months that HQ does not keep. */
  readonly refused: number;
}

interface HqEpoch {
  /** The highest sequence that HQ was told of. */
  readonly reached: number;
  /** First and last of each range. */
  readonly settled: readonly (readonly [number, number])[];
}

interface Found extends Record<string, unknown> {
  readonly rows: HqContents['rows'] | null;
  readonly epochs: readonly (HqEpoch & { readonly epoch: string })[] | null;
  readonly losses: readonly { epoch: string; reason: string; count: number }[] | null;
}

/** One statement, so that all of it is of one moment. */
const question = `
select
  (select json_agg(r) from (
     select sensor_id, floor(extract(epoch from "timestamp") * 1000)::float8 as observed_at,
       interval_s::float8, in_count as people from people_counting_raw) r) as rows,
  (select json_agg(e) from (
     select epoch, max(coalesce(last_sequence, 0)) as reached,
       (select coalesce(json_agg(array[lower(r), upper(r) - 1]), '[]')
        from unnest(range_agg(settled)) r) as settled
     from app.gateway_epochs group by epoch) e) as epochs,
  (select json_agg(l) from (
     select epoch, reason, sum(count)::float8 as count from app.gateway_losses
     where reason in ('lost_with_image', 'no_partition') group by 1, 2) l) as losses`;

export async function hqContents(store: StoreUnderTorture): Promise<HqContents> {
  const [found] = await store.askHq<Found>(question);
  const losses = found?.losses ?? [];
  const of = (reason: string) => losses.filter((one) => one.reason === reason);
  return {
    rows: found?.rows ?? [],
    epochs: new Map((found?.epochs ?? []).map((one) => [one.epoch, one])),
    with_image: new Map(of('lost_with_image').map(({ epoch, count }) => [epoch, count])),
    refused: of('no_partition').reduce((sum, { count }) => sum + count, 0),
  };
}

/** Whether HQ says that it has what stood there. */
export function isSettled({ epochs }: HqContents, place: LostPlace): boolean {
  if (place === null) return false;
  const settled = epochs.get(place.epoch)?.settled ?? [];
  return settled.some(([first, last]) => first <= place.sequence && place.sequence <= last);
}
