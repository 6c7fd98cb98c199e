/** Kinds of alerts: how bad each is, and how long its cause must last, and be gone, to be believed. */

export interface AlertTiming {
  /** A cause that lasts for less than this was none, seconds. 0 where the rule itself waits. */
  readonly pending_s: number;
  /** A cause must be gone for this long; coming back sooner is the same episode, seconds. */
  readonly recovering_s: number;
}

interface AlertKind extends AlertTiming {
  readonly severity: 'critical' | 'warning' | 'info';
}

const five_min = 300;

export const alertKinds = {
  // A line that comes and goes every few minutes is one fault.
  gateway_offline: { severity: 'critical', pending_s: 0, recovering_s: five_min },
  sensor_silent: { severity: 'warning', pending_s: 0, recovering_s: five_min },
  // One person counted proves that it sees.
  sensor_blind: { severity: 'warning', pending_s: 0, recovering_s: 0 },
} as const satisfies Record<string, AlertKind>;

export type AlertType = keyof typeof alertKinds;

/** A cause that holds now; it becomes an alert once it has lasted. */
export interface Finding {
  readonly alert_type: AlertType;
  /** What the alert is about: with the type, it names the episode. */
  readonly subject: string;
  /** Null: the whole organization. */
  readonly store_id: string | null;
  readonly title: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string | number | null>>;
  /** Seen in readings that arrived late: nobody is called for what is over by now. */
  readonly late?: boolean;
}

export function dedupKey({ alert_type, subject }: Pick<Finding, 'alert_type' | 'subject'>): string {
  return `${alert_type}:${subject}`;
}

/** An alert of a kind that a newer or older version knows ends when its cause is not seen. */
export function timingOf(dedup_key: string): AlertTiming {
  const kinds: Readonly<Record<string, AlertTiming>> = alertKinds;
  return kinds[typeOf(dedup_key)] ?? { pending_s: 0, recovering_s: 0 };
}

function typeOf(dedup_key: string): string {
  return dedup_key.slice(0, dedup_key.indexOf(':'));
}
