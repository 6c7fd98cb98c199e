/** What HQ knows of an organization's stores, gateways and sensors at this moment. */
import type { Transaction } from '../db/pool.ts';
import type { WatchedGateway, WatchedSensor, WatchedStore } from './alert-rules.ts';

/** A column as ms since the epoch. */
export const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

export interface Fleet {
  readonly stores: WatchedStore[];
  readonly gateways: WatchedGateway[];
  readonly sensors: WatchedSensor[];
}

/** @param now ms since the epoch, HQ's clock. */
export async function observeFleet(
  tx: Transaction,
  organization_id: string,
  now: number,
): Promise<Fleet> {
  const gateways = await tx.query<WatchedGateway>(
    `select g.id as gateway_id, g.store_id, g.name, ${ms('g.enrolled_at')} as enrolled_at,
       ${ms('t.heartbeat_at')} as heartbeat_at, ${ms('t.sent_at')} as sent_at,
       ${ms('t.delivered_at')} as delivered_at
     from app.gateways g left join app.gateway_state t
       on t.organization_id = g.organization_id and t.gateway_id = g.id
     where g.organization_id = $1 and g.revoked_at is null`,
    [organization_id],
  );
  const sensors = await tx.query<WatchedSensor>(
    `select s.id, s.sensor_id, s.store_id, s.gateway_id, ${ms('s.last_seen_at')} as last_seen_at,
       ${ms('s.created_at')} as known_since, s.silent_after_s, s.battery_pct, s.faults,
       ${ms('s.offline_since')} as offline_since
     from public.sensor_metadata s
     join app.gateways g on g.organization_id = s.organization_id and g.id = s.gateway_id
     where s.organization_id = $1 and s.silent_after_s is not null and g.revoked_at is null`,
    [organization_id],
  );
  return { stores: await observeStores(tx, organization_id, now), gateways, sensors };
}

/**
 * A store without trading hours always trades, but for closures and maintenance; on a holiday with
 * hours of its own, in those.
 */
async function observeStores(
  { query }: Transaction,
  organization_id: string,
  now: number,
): Promise<WatchedStore[]> {
  return query<WatchedStore>(
    `with place as (
       select s.id, s.timezone, to_timestamp($2::float8 / 1000) at time zone s.timezone as wall
       from public.stores s where s.organization_id = $1
     ), trading as (
       select p.id, o.opens is not null or exists (select from public.store_hours h
           where h.organization_id = $1 and h.store_id = p.id) as has_hours,
         case when o.opens is null then (
             select max((p.wall::date + h.opens) at time zone p.timezone) from public.store_hours h
             where h.organization_id = $1 and h.store_id = p.id
               and h.weekday = extract(isodow from p.wall)
               and h.opens <= p.wall::time and h.closes > p.wall::time)
           when o.opens <= p.wall::time and o.closes > p.wall::time
             then (p.wall::date + o.opens) at time zone p.timezone end as opened_at,
         exists (select from public.store_closures c
           where c.organization_id = $1 and c.store_id = p.id
             and p.wall::date between c.first_date and c.last_date) as closed,
         exists (select from public.maintenance_windows m
           where m.organization_id = $1 and m.store_id = p.id
             and m.starts_at <= to_timestamp($2::float8 / 1000)
             and m.ends_at > to_timestamp($2::float8 / 1000)) as worked_on,
         (select max(m.ends_at) from public.maintenance_windows m
           where m.organization_id = $1 and m.store_id = p.id
             and m.ends_at <= to_timestamp($2::float8 / 1000)) as worked_on_until
       from place p left join public.store_holidays o
         on o.organization_id = $1 and o.store_id = p.id and o.date = p.wall::date
     )
     select id as store_id, worked_on, case when closed or worked_on or (has_hours and opened_at is null) then null
       else greatest(coalesce(${ms('opened_at')}, 0), coalesce(${ms('worked_on_until')}, 0))
       end as trading_since
     from trading`,
    [organization_id, now],
  );
}
