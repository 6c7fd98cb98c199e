/**
 * The start under which HQ will know a reading. `(sensor, observed_at)` is a reading's identity, so
 * it must not repeat, while devices send many messages with one time: a flushed backlog, a clock
 * that stands still, two people in one device second. Pure.
 */

export interface TakenStarts {
  /** Newest second in which a reading of the sensor starts, seconds since the epoch. */
  readonly second: number;
  /** Readings in that second beyond the first. */
  readonly in_second: number;
  /** Readings so far that found their second taken or passed. */
  readonly displaced: number;
}

export const noStarts: TakenStarts = { second: 0, in_second: 0, displaced: 0 };

/** Milliseconds 1 to 499 name readings of the newest second, 500 to 999 those of any other. */
const half = 500;
const quarter_hour_s = 900;

/**
 * A start in a new second is rounded down to it. Another in the newest second gets a millisecond of
 * its own; what finds no place there, or comes late, gets one of the upper half. When those have
 * gone round, starts move on by a second for each round, within their quarter hour: the hour, in
 * any zone, stays right. 450,000 such readings have names of their own before one can repeat, and
 * HQ would refuse that one by name.
 */
export function nameStart(
  taken: TakenStarts,
  start: number,
): { starts: TakenStarts; observed_at: number; isLate: boolean } {
  const second = Math.floor(start / 1000);
  if (second > taken.second) {
    const starts = { second, in_second: 0, displaced: taken.displaced };
    return { starts, observed_at: second * 1000, isLate: false };
  }
  const { second: newest, displaced } = taken;
  const isLate = second < newest;
  if (!isLate && taken.in_second < half - 1) {
    const starts = { second, in_second: taken.in_second + 1, displaced };
    return { starts, observed_at: second * 1000 + starts.in_second, isLate };
  }
  const round = Math.floor(displaced / half);
  const quarter = second - (second % quarter_hour_s);
  const moved = quarter + ((second - quarter + round) % quarter_hour_s);
  const observed_at = moved * 1000 + half + (displaced % half);
  const starts = { second: newest, in_second: taken.in_second, displaced: displaced + 1 };
  return { starts, observed_at, isLate };
}
