/** Watches gateways and sensors and keeps the alerts table in step with what the rules decide. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Database, Transaction } from '../db/pool.ts';
import type { Worker } from '../worker.ts';
import { worker } from '../worker.ts';
import type { Alert, WatchedGateway, WatchedSensor } from './alert-rules.ts';
import { decideAlerts } from './alert-rules.ts';
import { observeTraffic } from './observe-traffic.ts';

const idle_ms_max = 2_000;
/** Looking at traffic reads weeks of hours, and nothing of it is urgent within a minute. */
const traffic_every_ms = 60_000;

export function alertWorker(options: {
  db: Database;
  heartbeat_grace_s: number;
  clock: Clock;
  log: Log;
}): Worker {
  const { db, clock, log, heartbeat_grace_s } = options;
  const watching_since = clock.now();
  let traffic_at = Number.NEGATIVE_INFINITY;
  return worker({
    name: 'alerts',
    idle_ms: Math.min(idle_ms_max, heartbeat_grace_s * 250),
    clock,
    log,
    async pass(signal) {
      const traffic = clock.monotonic() - traffic_at >= traffic_every_ms;
      if (traffic) traffic_at = clock.monotonic();
      for (const organization_id of await activeOrganizations(db)) {
        if (signal.aborted) return;
        const at = { organization_id, now: clock.now(), watching_since, heartbeat_grace_s };
        await evaluateAlerts(db, { ...at, traffic });
      }
    },
  });
}

async function activeOrganizations(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_health', ({ query }) =>
    query<{ id: string }>('select app.active_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}

/** Raises and resolves the alerts of one organization. Times in ms since the epoch. */
export async function evaluateAlerts(
  db: Database,
  at: {
    organization_id: string;
    now: number;
    watching_since: number;
    heartbeat_grace_s: number;
    /** Whether to look at what sensors usually count. */
    traffic: boolean;
  },
): Promise<void> {
  const { organization_id } = at;
  await db.inTenant({ organization_id }, 'app_health', async (tx) => {
    const traffic = at.traffic ? await observeTraffic(tx, organization_id) : null;
    const decision = decideAlerts({ ...at, ...(await observe(tx, organization_id)), traffic });
    for (const alert of decision.raise) await raise(tx, organization_id, alert, at.now);
    if (decision.resolve.length > 0) {
      await tx.query(
        `update public.alerts set is_resolved = true, resolved_at = to_timestamp($3::float8 / 1000)
         where organization_id = $1 and dedup_key = any ($2) and not is_resolved`,
        [organization_id, decision.resolve, at.now],
      );
    }
  });
}

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

async function observe(
  { query }: Transaction,
  organization_id: string,
): Promise<{ gateways: WatchedGateway[]; sensors: WatchedSensor[]; open: string[] }> {
  const gateways = await query<WatchedGateway>(
    `select g.id as gateway_id, g.store_id, g.name, ${ms('g.enrolled_at')} as enrolled_at,
       ${ms('t.heartbeat_at')} as heartbeat_at, ${ms('t.delivered_at')} as delivered_at
     from app.gateways g left join app.gateway_state t
       on t.organization_id = g.organization_id and t.gateway_id = g.id
     where g.organization_id = $1 and g.revoked_at is null`,
    [organization_id],
  );
  const sensors = await query<WatchedSensor>(
    `select s.id, s.sensor_id, s.store_id, s.gateway_id, ${ms('s.last_seen_at')} as last_seen_at,
       ${ms('s.created_at')} as known_since, s.silent_after_s
     from public.sensor_metadata s
     join app.gateways g on g.organization_id = s.organization_id and g.id = s.gateway_id
     where s.organization_id = $1 and s.silent_after_s is not null and g.revoked_at is null`,
    [organization_id],
  );
  const open = await query<{ dedup_key: string }>(
    'select dedup_key from public.alerts where organization_id = $1 and not is_resolved',
    [organization_id],
  );
  return { gateways, sensors, open: open.map(({ dedup_key }) => dedup_key) };
}

/** Several HQ processes decide the same; the index on open alerts lets one of them write it. */
async function raise(
  { query }: Transaction,
  organization_id: string,
  alert: Alert,
  now: number,
): Promise<void> {
  await query(
    `insert into public.alerts (organization_id, store_id, alert_type, severity, title,
       description, metadata, dedup_key, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9::float8 / 1000))
     on conflict (organization_id, dedup_key) where not is_resolved do nothing`,
    [
      organization_id,
      alert.store_id,
      alert.alert_type,
      alert.severity,
      alert.title.slice(0, 255),
      alert.description,
      JSON.stringify(alert.metadata),
      alert.dedup_key,
      now,
    ],
  );
}
