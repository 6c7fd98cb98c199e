/** What each gateway last said about itself, and how fast its quarantine grows. */
import type { Transaction } from '../db/pool.ts';
import type { GatewayFacts } from './gateway-rules.ts';
import { ms } from './observe-fleet.ts';

/** Totals are marked this often and kept a little longer than the hour they are compared over. */
const mark_every_min = 10;
const compared_min = 60;
const kept_min = compared_min + 2 * mark_every_min;

/** @param look.thorough whether to look at losses too. */
export async function observeGateways(
  { query }: Transaction,
  organization_id: string,
  look: { now: number; thorough: boolean },
): Promise<GatewayFacts[]> {
  const facts = await query<Omit<GatewayFacts, 'lost_in_an_hour'>>(
    `select g.id as gateway_id, g.store_id, g.name, ${ms('t.heartbeat_at')} as heartbeat_at,
       ${ms('t.sent_at')} as sent_at, ${ms('t.delivered_at')} as delivered_at, t.buffered,
       t.durability, ${ms('t.stalled_since')} as stalled_since, ${ms('t.cloned_at')} as cloned_at,
       t.disk_free_bytes, t.disk_total_bytes, t.sources, t.certificates
     from app.gateways g join app.gateway_state t
       on t.organization_id = g.organization_id and t.gateway_id = g.id
     where g.organization_id = $1 and g.revoked_at is null`,
    [organization_id],
  );
  if (!look.thorough) return facts.map((one) => ({ ...one, lost_in_an_hour: null }));
  const lost = new Map(
    (
      await query<{ gateway_id: string; lost: number }>(
        `with total as (
           select g.id as gateway_id, coalesce(sum(l.count), 0)::bigint as count
           from app.gateways g left join app.gateway_losses l
             on l.organization_id = $1 and l.gateway_id = g.id
           where g.organization_id = $1 and g.revoked_at is null group by g.id
         ), at as (select to_timestamp($2::float8 / 1000) as now
         ), marked as (
           insert into app.gateway_loss_marks (organization_id, gateway_id, marked_at, count)
           select $1, t.gateway_id, at.now, t.count from total t, at
           where not exists (select from app.gateway_loss_marks m
             where m.organization_id = $1 and m.gateway_id = t.gateway_id
               and m.marked_at > at.now - interval '${mark_every_min} minutes')
           on conflict do nothing
         ), forgotten as (
           delete from app.gateway_loss_marks m using at where m.organization_id = $1
             and m.marked_at < at.now - interval '${kept_min} minutes'
         )
         select t.gateway_id, t.count - coalesce((
           select m.count from app.gateway_loss_marks m, at
           where m.organization_id = $1 and m.gateway_id = t.gateway_id
             and m.marked_at >= at.now - interval '${compared_min} minutes'
           order by m.marked_at limit 1), t.count) as lost
         from total t`,
        [organization_id, look.now],
      )
    ).map((row) => [row.gateway_id, row.lost]),
  );
  return facts.map((one) => ({ ...one, lost_in_an_hour: lost.get(one.gateway_id) ?? 0 }));
}
