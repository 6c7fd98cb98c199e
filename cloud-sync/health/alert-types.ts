/** Kinds of alerts: how bad each is, and how long its cause must last, and be gone, to be believed. */

export interface AlertTiming {
  /** A cause that lasts for less than this was none, seconds. 0 where the rule itself waits. */
  readonly pending_s: number;
  /** A cause must be gone for this long; coming back sooner is the same episode, seconds. */
  readonly recovering_s: number;
}

interface AlertKind extends AlertTiming {
  readonly severity: 'critical' | 'warning' | 'info';
  /** Reads many rows, so it is looked at once a minute; in between its alerts stay as they are. */
  readonly slow?: true;
}

const five_min = 300;

export const alertKinds = {
  // A line that comes and goes every few minutes is one fault.
  gateway_offline: { severity: 'critical', pending_s: 0, recovering_s: five_min },
  sensor_silent: { severity: 'warning', pending_s: 0, recovering_s: five_min },
  // One person counted proves that it sees.
  sensor_blind: { severity: 'warning', pending_s: 0, recovering_s: 0, slow: true },
  sensor_stuck: { severity: 'warning', pending_s: 0, recovering_s: 0, slow: true },
  rate_impossible: { severity: 'warning', pending_s: 0, recovering_s: 0, slow: true },
  occupancy_high: { severity: 'warning', pending_s: 60, recovering_s: five_min, slow: true },
  occupancy_full: { severity: 'critical', pending_s: 0, recovering_s: five_min, slow: true },
  // One heartbeat that was long on its way is no clock.
  clock_skew: { severity: 'warning', pending_s: 150, recovering_s: five_min },
  backlog_old: { severity: 'warning', pending_s: five_min, recovering_s: five_min },
  // What waited out an outage is settled minutes after it.
  delivery_stalled: { severity: 'warning', pending_s: five_min, recovering_s: 0 },
  storage_failing: { severity: 'critical', pending_s: 0, recovering_s: five_min },
  // Two machines with one credential; gone when only one of them has spoken for an hour.
  gateway_cloned: { severity: 'critical', pending_s: 0, recovering_s: 0 },
  disk_full: { severity: 'warning', pending_s: 0, recovering_s: five_min },
  quarantine_growing: { severity: 'warning', pending_s: 0, recovering_s: 0, slow: true },
  // A source tries again by itself, and most often succeeds.
  source_failing: { severity: 'warning', pending_s: five_min, recovering_s: five_min },
  battery_low: { severity: 'warning', pending_s: 0, recovering_s: 0 },
  // Some devices take a fault back within seconds.
  device_fault: { severity: 'warning', pending_s: 60, recovering_s: five_min },
  certificate_expiring: { severity: 'warning', pending_s: 0, recovering_s: 0 },
  key_expiring: { severity: 'warning', pending_s: 0, recovering_s: 0, slow: true },
  in_out_imbalance: { severity: 'info', pending_s: 0, recovering_s: 0, slow: true },
  counts_at_night: { severity: 'info', pending_s: 0, recovering_s: 0, slow: true },
  day_incomplete: { severity: 'info', pending_s: 0, recovering_s: 0, slow: true },
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

const unknown_kind: AlertKind = { severity: 'info', pending_s: 0, recovering_s: 0 };

/** An alert of a kind that only another version knows ends when its cause is not seen. */
export function kindOf(dedup_key: string): AlertKind {
  const kinds: Readonly<Record<string, AlertKind>> = alertKinds;
  return kinds[dedup_key.slice(0, dedup_key.indexOf(':'))] ?? unknown_kind;
}
