/** Reads who is to be told and of what, and writes the messages that are due. */
import type { Database, Query } from '../db/pool.ts';
import { ms } from '../health/observe-fleet.ts';
import { composeMessage } from './compose-message.ts';
import type { AlertNews, PlannedNotification, Recipient } from './plan-notifications.ts';
import { planNotifications } from './plan-notifications.ts';

/** What was resolved longer ago is in nobody's next message. */
const looked_back = '2 days';

/** @returns how many messages were made. @param now ms since the epoch. */
export async function makeNotifications(
  db: Database,
  organization_id: string,
  now: number,
): Promise<number> {
  return db.inTenant({ organization_id }, 'app_notify', async ({ query }) => {
    // Another process that plans at the same time would tell everything twice.
    const [lock] = await query<{ mine: boolean }>(
      `select pg_try_advisory_xact_lock(hashtextextended('footbridge notify ' || $1, 0)) as mine`,
      [organization_id],
    );
    if (lock?.mine !== true) return 0;
    const recipients = await readRecipients(query, organization_id, now);
    if (recipients.length === 0) return 0;
    const planned = planNotifications(await readNews(query, organization_id, now), recipients, now);
    for (const one of planned) await store(query, organization_id, one, now);
    return planned.length;
  });
}

async function readNews(query: Query, organization_id: string, now: number): Promise<AlertNews[]> {
  return query<AlertNews>(
    `select a.id, a.store_id, s.name as store, a.alert_type, a.severity, a.title,
       coalesce(a.description, '') as description, a.is_resolved,
       ${ms('a.fired_at')} as fired_at, ${ms('a.resolved_at')} as resolved_at,
       exists (select from public.alert_acknowledgements k
         where k.organization_id = $1 and k.alert_id = a.id) as acknowledged,
       exists (select from public.alert_mutes m
         where m.organization_id = $1 and m.store_id = a.store_id
           and (m.alert_type is null or m.alert_type = a.alert_type)
           and m.until > to_timestamp($2::float8 / 1000)) as muted
     from public.alerts a
     left join public.stores s on s.organization_id = $1 and s.id = a.store_id
     where a.organization_id = $1 and a.deleted_at is null and (not a.is_resolved
       or a.resolved_at > to_timestamp($2::float8 / 1000) - interval '${looked_back}')
     order by a.fired_at, a.id`,
    [organization_id, now],
  );
}

interface ReadRecipient extends Omit<Recipient, 'told'> {
  readonly told: readonly { alert_id: string; told: 'firing' | 'resolved'; at: number }[];
}

export async function readRecipients(
  query: Query,
  organization_id: string,
  now: number,
): Promise<Recipient[]> {
  const rows = await query<ReadRecipient>(
    `with clock as (select to_timestamp($2::float8 / 1000) as now), recipient as (
       select r.id as route_id, r.kind, coalesce(p.email, r.url, '') as address, p.store_ids,
         r.severity_min, coalesce(case when r.quiet_from <= r.quiet_until
           then wall >= r.quiet_from and wall < r.quiet_until
           else wall >= r.quiet_from or wall < r.quiet_until end, false) as quiet
       from app.notification_routes r
       cross join lateral (select (clock.now at time zone r.timezone)::time as wall from clock) w
       left join app.alert_readers() p on p.role = r.role
       where r.organization_id = $1 and (r.kind <> 'email' or p.email is not null)
     )
     select r.*, (select ${ms('max(n.created_at)')} from public.notifications n
         where n.organization_id = $1 and n.route_id = r.route_id and n.recipient = r.address
           and exists (select from app.notification_alerts t
             where t.organization_id = $1 and t.notification_id = n.id)) as last_at,
       coalesce((select json_agg(json_build_object('alert_id', x.alert_id, 'told', x.told,
           'at', ${ms('x.created_at')}))
         from (select distinct on (t.alert_id) t.alert_id, t.told, n.created_at
           from app.notification_alerts t
           join public.notifications n on n.organization_id = $1 and n.id = t.notification_id
           join public.alerts a on a.organization_id = $1 and a.id = t.alert_id
             and (not a.is_resolved or a.resolved_at > (select now from clock) - interval '${looked_back}')
           where t.organization_id = $1 and n.route_id = r.route_id and n.recipient = r.address
           order by t.alert_id, n.created_at desc) x), '[]') as told
     from recipient r order by r.route_id, r.address`,
    [organization_id, now],
  );
  return rows.map((row) => ({
    ...row,
    told: new Map(row.told.map(({ alert_id, told, at }) => [alert_id, { told, at }])),
  }));
}

async function store(
  query: Query,
  organization_id: string,
  { recipient, items }: PlannedNotification,
  now: number,
): Promise<void> {
  const { subject, text } = composeMessage(items);
  await query(
    `with made as (
       insert into public.notifications (organization_id, route_id, kind, recipient, subject, body,
         created_at, next_attempt_at)
       select $1, $2, $3, $4, $5, $6, t, t from to_timestamp($7::float8 / 1000) t
       returning id
     )
     insert into app.notification_alerts (organization_id, notification_id, alert_id, told)
     select $1, made.id, alert_id, told
     from made, unnest($8::uuid[], $9::text[]) as s (alert_id, told)`,
    [
      organization_id,
      recipient.route_id,
      recipient.kind,
      recipient.address,
      subject,
      text,
      now,
      items.map(({ alert }) => alert.id),
      items.map(({ told }) => told),
    ],
  );
}
