/**
 * Sends what is waiting. A message is claimed before it is sent, and noted after: a process that dies
 * in between leaves it to be sent once more, under the same id, rather than never.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import { backoff_ms } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database } from '../db/pool.ts';
import type { Metrics } from '../metrics.ts';
import type { Mailer } from './email.ts';
import { isRefusedForGood } from './email.ts';
import { postWebhook, WebhookRefused } from './webhook.ts';

export interface Delivery {
  readonly db: Database;
  /** Null: no mail server is named. */
  readonly mailer: Mailer | null;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

interface Waiting {
  readonly id: string;
  readonly kind: 'email' | 'webhook' | 'log';
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly created_at: Date;
  readonly attempts: number;
  readonly secret: Buffer | null;
  readonly alerts: readonly object[];
}

/** Whoever has claimed a message has this long; then it is anybody's again. */
const claim_s = 120;
/** So few that all their deadlines pass within the claim. */
const claimed_max = 5;
const retry = { base_ms: 30_000, cap_ms: 3_600_000 };
/** A receiver that asks for more is asked again after this. */
const wait_max_ms = 86_400_000;
/** With these pauses about a day. */
const attempts_max = 30;

/** @returns how many were tried. */
export async function deliverWaiting(on: Delivery, organization_id: string): Promise<number> {
  let tried = 0;
  for (;;) {
    const claimed = await claim(on, organization_id);
    tried += claimed.length;
    await deliver(on, organization_id, claimed);
    if (claimed.length < claimed_max) return tried;
  }
}

async function deliver(
  on: Delivery,
  organization_id: string,
  claimed: readonly Waiting[],
): Promise<void> {
  for (const one of claimed) {
    let failure: unknown = null;
    try {
      await send(on, organization_id, one);
    } catch (error) {
      failure = error;
    }
    const outcome = await note(on, organization_id, one, failure);
    on.metrics.add('hq_notifications_total', 1, { kind: one.kind, outcome });
  }
}

async function claim({ db, clock }: Delivery, organization_id: string): Promise<Waiting[]> {
  return db.inTenant({ organization_id }, 'app_notify', ({ query }) =>
    query<Waiting>(
      `with due as (
         select n.id from public.notifications n
         where n.organization_id = $1 and n.state = 'waiting'
           and n.next_attempt_at <= to_timestamp($2::float8 / 1000)
         order by n.next_attempt_at limit ${claimed_max} for update skip locked
       ), mine as (
         update public.notifications n set attempts = n.attempts + 1,
           next_attempt_at = to_timestamp($2::float8 / 1000) + interval '${claim_s} seconds'
         from due where n.organization_id = $1 and n.id = due.id
         returning n.*
       )
       select m.id, m.kind, m.recipient, m.subject, m.body, m.created_at, m.attempts, r.secret,
         coalesce((select json_agg(json_build_object('id', a.id, 'state', t.told,
             'alert_type', a.alert_type, 'severity', a.severity, 'title', a.title,
             'description', a.description, 'store', s.code, 'since', a.created_at,
             'resolved_at', a.resolved_at) order by a.fired_at)
           from app.notification_alerts t
           join public.alerts a on a.organization_id = $1 and a.id = t.alert_id
           left join public.stores s on s.organization_id = $1 and s.id = a.store_id
           where t.organization_id = $1 and t.notification_id = m.id), '[]') as alerts
       from mine m left join app.notification_routes r
         on r.organization_id = $1 and r.id = m.route_id`,
      [organization_id, clock.now()],
    ),
  );
}

async function send(on: Delivery, organization_id: string, one: Waiting): Promise<void> {
  const { id, subject, alerts } = one;
  if (one.kind === 'log') {
    on.log.warn({ organization_id, notification: id, alerts: alerts.length }, subject);
  } else if (one.kind === 'email') {
    if (on.mailer === null) throw new FootbridgeError('mail_not_configured');
    await on.mailer.send({ id, to: one.recipient, subject, text: one.body });
  } else {
    if (one.secret === null) throw new FootbridgeError('route_gone');
    const data = { organization_id, subject, alerts };
    const body = JSON.stringify({ type: 'alerts', timestamp: one.created_at, data });
    const { secret, recipient: url } = one;
    await postWebhook({ url, secret, id, body, now: on.clock.now() });
  }
}

type Outcome = 'sent' | 'retried' | 'failed';

async function note(
  { db, clock, log }: Delivery,
  organization_id: string,
  one: Waiting,
  failure: unknown,
): Promise<Outcome> {
  const for_good = isForGood(failure) || one.attempts >= attempts_max;
  const outcome = failure === null ? 'sent' : for_good ? 'failed' : 'retried';
  const detail = failure === null ? null : errorText(failure).slice(0, 1000);
  if (failure !== null) {
    log.warn({ notification: one.id, kind: one.kind, outcome, detail }, 'a message was not sent');
  }
  const now = clock.now();
  const asked_ms = failure instanceof WebhookRefused ? Math.min(failure.wait_ms, wait_max_ms) : 0;
  const pause_ms = backoff_ms(one.attempts - 1, retry, clock.random);
  const again = now + Math.max(1_000, asked_ms, pause_ms);
  await db.inTenant({ organization_id }, 'app_notify', ({ query }) =>
    query(
      `update public.notifications set state = $3, detail = $4,
         sent_at = case when $3 = 'sent' then to_timestamp($5::float8 / 1000) end,
         next_attempt_at = to_timestamp($6::float8 / 1000)
       where organization_id = $1 and id = $2`,
      [organization_id, one.id, outcome === 'retried' ? 'waiting' : outcome, detail, now, again],
    ),
  );
  return outcome;
}

/** A receiver that is gone says so with 410; a route that is gone has nobody to tell. */
function isForGood(failure: unknown): boolean {
  if (failure instanceof WebhookRefused) return failure.status === 410;
  if (failure instanceof FootbridgeError) return failure.code === 'route_gone';
  return isRefusedForGood(failure);
}
