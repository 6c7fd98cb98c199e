/** When a device that clears its totals at one time of the day last did. Pure. */
import type { DailyTime } from '../profiles/measure.ts';
import { offsetIn } from '../profiles/zone-offset.ts';

const day_ms = 24 * 60 * 60 * 1000;

/** @returns the newest instant not after `at` at which clocks in the zone show that time. */
export function lastDailyReset({ minute, zone }: DailyTime, at: number): number {
  const offset = offsetIn(zone, at) ?? 0;
  const wall = at + offset;
  const today = Math.floor(wall / day_ms) * day_ms + minute * 60_000;
  const last = today <= wall ? today : today - day_ms;
  // On a day on which the clock moves, the offset back then is another one.
  return last - (offsetIn(zone, last - offset) ?? offset);
}
