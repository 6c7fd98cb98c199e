/**
 * Who is told what, and when; pure.
 *
 * Faults come in swarms: a provider's line takes two hundred stores, a router forty sensors. So the
 * first alert waits for its neighbours, everything that a recipient may see goes into one message,
 * and the next one keeps its distance. What is over before anybody was told is never told.
 */

/** The neighbours of a fault are seen within a heartbeat of it, and the watch needs a moment. */
const gather_ms = 90_000;
/** Between two messages to one recipient. */
const distance_ms = 5 * 60_000;
/** What is still wrong is told again, until somebody has taken it on. */
const again_ms = 24 * 3_600_000;

const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface AlertNews {
  readonly id: string;
  readonly store_id: string | null;
  /** Name of the store; null for an alert of the whole organization. */
  readonly store: string | null;
  readonly alert_type: string;
  readonly severity: Severity;
  readonly title: string;
  readonly description: string;
  readonly is_resolved: boolean;
  /** ms since the epoch, HQ's clock. */
  readonly fired_at: number;
  readonly resolved_at: number | null;
  readonly acknowledged: boolean;
  readonly muted: boolean;
}

export interface Recipient {
  readonly route_id: string;
  readonly kind: 'email' | 'webhook' | 'log';
  /** An e-mail address or a URL; empty for the log. */
  readonly address: string;
  /** Stores that they may see; null: all, and what concerns the whole organization. */
  readonly store_ids: readonly string[] | null;
  readonly severity_min: Severity;
  /** Whether it is quiet hours: only what is critical is told. */
  readonly quiet: boolean;
  /** When the last message to them was made, ms since the epoch. */
  readonly last_at: number | null;
  /** What they were last told of each alert, and when. */
  readonly told: ReadonlyMap<string, { told: 'firing' | 'resolved'; at: number }>;
}

export interface NewsItem {
  readonly alert: AlertNews;
  readonly told: 'firing' | 'resolved';
}

export interface PlannedNotification {
  readonly recipient: Recipient;
  readonly items: readonly NewsItem[];
}

/** @param now ms since the epoch, HQ's clock. */
export function planNotifications(
  alerts: readonly AlertNews[],
  recipients: readonly Recipient[],
  now: number,
): PlannedNotification[] {
  return recipients.flatMap((recipient) => {
    if (recipient.last_at !== null && now - recipient.last_at < distance_ms) return [];
    const items = alerts.flatMap((alert) => newsOf(alert, recipient, now) ?? []);
    const gathered = items.some(
      ({ alert }) => now - (alert.resolved_at ?? alert.fired_at) >= gather_ms,
    );
    return gathered ? [{ recipient, items }] : [];
  });
}

function newsOf(alert: AlertNews, recipient: Recipient, now: number): NewsItem | null {
  if (!concerns(alert, recipient)) return null;
  const before = recipient.told.get(alert.id);
  if (alert.is_resolved) return before?.told === 'firing' ? { alert, told: 'resolved' } : null;
  if (alert.muted) return null;
  if (before === undefined) return { alert, told: 'firing' };
  const again = !alert.acknowledged && alert.severity !== 'info' && now - before.at >= again_ms;
  return again ? { alert, told: 'firing' } : null;
}

function concerns(alert: AlertNews, { store_ids, severity_min, quiet }: Recipient): boolean {
  const least = quiet ? 'critical' : severity_min;
  if (severities.indexOf(alert.severity) < severities.indexOf(least)) return false;
  return store_ids === null || (alert.store_id !== null && store_ids.includes(alert.store_id));
}
