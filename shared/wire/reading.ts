/**
 * What a sensor says about one interval, as it travels from the meter to HQ's raw tables.
 *
 * Times are milliseconds since the Unix epoch (UTC); `interval_s` is seconds. A store's time zone
 * plays no part before HQ: hours are cut there, in Postgres, from the store's IANA zone.
 *
 * No schema stands here: the buffer's thread needs the words, and zod would cost it 4 MB of memory.
 */
/**
 * Why a reading is not simply "as the device said". A bit mask, because readings are many.
 * The bits are part of the wire format: add new ones, never reuse one.
 */
export const readingFlags = {
  /** The device's time was implausible or missing where the profile expects it; receive time stands. */
  device_time_rejected: 1,
  /** One part of an interval that was cut at quarter hours; whole people, sum kept. */
  split: 2,
  /** Counted before the gateway's clock was set, dated afterwards. */
  retimed: 4,
  /** The counter was reset inside this interval: counts between last sample and reset are unknown. */
  reset: 8,
  /** The counter passed its declared width inside this interval. */
  wrapped: 16,
  /** Arrived after a younger interval of the same sensor. */
  late: 32,
  /** Several intervals merged because the buffer reached its quota; totals are exact. */
  coalesced: 64,
  /** The gateway or its source was down for part of the interval. */
  gap: 128,
  /**
   * Counted while the gateway's clock was not set, in a boot that ended before it ever was: distances
   * are right, the date is the latest that it can be.
   */
  date_unknown: 256,
} as const;

/** The longest interval that one reading may cover, in seconds: an hour, after coalescing. */
export const interval_s_max = 3600;
/** More people than this in one interval is a broken counter, not a crowd. */
export const count_max = 100_000;

/** People who crossed one line in one interval. */
export interface CountReading {
  readonly kind: 'count';
  readonly sensor_id: string;
  /** Start of the interval, ms since the epoch. Unique for a sensor: it is the reading's identity. */
  readonly observed_at: number;
  /** Length of the interval in seconds; 0 for a single crossing. */
  readonly interval_s: number;
  readonly in: number;
  readonly out: number;
  /** When the gateway received the frame that completed the interval, ms since the epoch. */
  readonly received_at: number;
  /** Bit mask of {@link readingFlags}. */
  readonly flags: number;
}

/** How many people one zone held in an interval, and how long they stayed. */
export interface ZoneReading {
  readonly kind: 'zone';
  readonly sensor_id: string;
  readonly region_id: string;
  readonly observed_at: number;
  readonly interval_s: number;
  /** People in the zone at the end of the interval; null where the device did not say. */
  readonly occupancy: number | null;
  /** Mean stay in seconds of the people who left in the interval; null where the device did not say. */
  readonly dwell_s: number | null;
  /** Longest of these stays in seconds; null where the device did not say. */
  readonly dwell_max_s: number | null;
  readonly received_at: number;
  readonly flags: number;
}

export type Reading = CountReading | ZoneReading;

/** A reading that the buffer holds: its sequence is its place in the append-only log. */
export type BufferedReading = Reading & { readonly sequence: number };
