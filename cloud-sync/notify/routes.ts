/** Ways in which an organization wants to be told, as the operator adds and removes them. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from '../tenants/organizations.ts';
import { explainRefusal } from '../tenants/refusals.ts';
import type { UserRole } from '../tenants/users.ts';
import type { Severity } from './plan-notifications.ts';
import { newWebhookSecret } from './webhook.ts';

export interface Route {
  id: string;
  kind: 'email' | 'webhook' | 'log';
  role: UserRole | null;
  url: string | null;
  severity_min: Severity;
  /** HH:MM:SS in `timezone`. */
  quiet_from: string | null;
  quiet_until: string | null;
  timezone: string;
}

const columns = 'id, kind, role, url, severity_min, quiet_from, quiet_until, timezone';

export type WantedRoute = Omit<Route, 'id'>;

/**
 * @returns the route; for a webhook with the secret that signs it, which nobody is shown again.
 * @throws value_invalid
 */
export async function addRoute(
  db: Database,
  organization: Organization,
  wanted: WantedRoute,
): Promise<Route & { secret: string | null }> {
  const made = wanted.kind === 'webhook' ? newWebhookSecret() : null;
  try {
    const [route] = await db.inTenant(
      { organization_id: organization.id },
      'app_operator',
      ({ query }) =>
        query<Route>(
          `insert into app.notification_routes (organization_id, kind, role, url, secret,
             severity_min, quiet_from, quiet_until, timezone)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${columns}`,
          [
            organization.id,
            wanted.kind,
            wanted.role,
            wanted.url,
            made?.secret ?? null,
            wanted.severity_min,
            wanted.quiet_from,
            wanted.quiet_until,
            wanted.timezone,
          ],
        ),
    );
    return { ...(route as Route), secret: made?.shown ?? null };
  } catch (error) {
    throw explainRefusal(error, {
      notification_routes_url_check: ['value_invalid', `--webhook "${wanted.url}" is no URL`],
      notification_routes_timezone_check: ['timezone_unknown', `--timezone "${wanted.timezone}"`],
    });
  }
}

export async function listRoutes(db: Database, organization: Organization): Promise<Route[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<Route>(
      `select ${columns} from app.notification_routes
       where organization_id = $1 order by created_at, id`,
      [organization.id],
    ),
  );
}

/** @throws route_gone */
export async function removeRoute(
  db: Database,
  organization: Organization,
  id: string,
): Promise<void> {
  const removed = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query(
        `delete from app.notification_routes
         where organization_id = $1 and id::text = $2 returning 1`,
        [organization.id, id],
      ),
  );
  if (removed.length === 0) throw new FootbridgeError('route_gone', `"${id}"`);
}

export interface NotificationRow {
  kind: string;
  recipient: string;
  subject: string;
  state: 'waiting' | 'sent' | 'failed';
  attempts: number;
  created_at: Date;
  sent_at: Date | null;
  detail: string | null;
}

const shown_max = 100;

/** What was sent, to whom, and what became of it; newest first. */
export async function listNotifications(
  db: Database,
  organization: Organization,
): Promise<NotificationRow[]> {
  return db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
    query<NotificationRow>(
      `select kind, recipient, subject, state, attempts, created_at, sent_at, detail
       from public.notifications where organization_id = $1
       order by created_at desc limit ${shown_max}`,
      [organization.id],
    ),
  );
}
