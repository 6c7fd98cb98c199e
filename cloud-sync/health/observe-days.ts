/** The last finished day of each store, and keys that end soon. */
import type { Transaction } from '../db/pool.ts';
import type { ExpiringKey, FinishedDay } from './day-rules.ts';

/** Finished: every gateway of the store has delivered past its midnight. */
export async function observeDays(
  { query }: Transaction,
  organization_id: string,
): Promise<FinishedDay[]> {
  return query<FinishedDay>(
    `with store as materialized (
       select s.id, s.name, s.timezone, array_agg(t.gateway_id) as gateway_ids,
         (min(t.delivered_at) at time zone s.timezone)::date - 1 as day
       from public.stores s
       join app.gateways g on g.organization_id = $1 and g.store_id = s.id and g.revoked_at is null
       join app.gateway_state t on t.organization_id = $1 and t.gateway_id = g.id
       where s.organization_id = $1 group by s.id, s.name, s.timezone
     ), hour as materialized (
       select h.store_id, h.local_date, h.total_in + h.total_out as people,
         h.trading_s = 0 and coalesce(lag(h.trading_s) over near, 0) = 0
           and coalesce(lead(h.trading_s) over near, 0) = 0 as at_night
       from store s join public.store_hourly h on h.organization_id = $1 and h.store_id = s.id
         and h.local_date between s.day - 1 and s.day + 1
       window near as (partition by h.store_id order by h.start_time)
     )
     select s.id as store_id, s.name, s.gateway_ids, s.day::text as date, d.total_in, d.total_out,
       d.coverage,
       not exists (select from app.rollup_dirty_days x
         where x.organization_id = $1 and x.store_id = s.id and x.date = s.day)
       and not exists (select from app.rollup_dirty x
         where x.organization_id = $1 and x.store_id = s.id
           and (x.bucket at time zone s.timezone)::date = s.day) as settled,
       (select coalesce(min(least(w.ins, w.outs)), 0) > 0 from (
         select sum(b.total_in) as ins, sum(b.total_out) as outs from public.daily_analytics b
         where b.organization_id = $1 and b.store_id = s.id
           and b.date between s.day - 28 and s.day) w) as both_ways,
       coalesce((select sum(h.people) from hour h
         where h.store_id = s.id and h.local_date = s.day and h.at_night
           and exists (select from public.store_hours o
             where o.organization_id = $1 and o.store_id = s.id)), 0)::bigint as at_night
     from store s join public.daily_analytics d
       on d.organization_id = $1 and d.store_id = s.id and d.date = s.day`,
    [organization_id],
  );
}

/** @param now ms since the epoch. */
export async function observeKeys(
  { query }: Transaction,
  organization_id: string,
  now: number,
): Promise<ExpiringKey[]> {
  return query<ExpiringKey>(
    `select k.id, k.name,
       floor(extract(epoch from k.expires_at - to_timestamp($2::float8 / 1000)) / 86400)::int
         as days_left
     from app.api_keys k
     where k.organization_id = $1 and k.revoked_at is null and k.expires_at is not null`,
    [organization_id, now],
  );
}
