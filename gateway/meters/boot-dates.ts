/** Whether the gateway's clock is set, and which dates records have that came before it was. Pure. */

/** No gateway of this version ran before; a clock without a battery says 1970 or its image's date. */
const built_at = Date.UTC(2026, 0, 1);
/**
 * After a power cut a clock may go on from a time that was saved before the last count. What is
 * further behind than this is a clock that once was ahead, and waiting for it would never end.
 */
const saved_ms_max = 60 * 60 * 1000;

/** @param newest_received_at when the newest reading on disk came; null: there is none. */
export function isClockSet(now: number, newest_received_at: number | null): boolean {
  if (now < built_at) return false;
  const behind = newest_received_at === null ? 0 : newest_received_at - now;
  return behind <= 0 || behind > saved_ms_max;
}

/**
 * When each boot began, ms since the epoch. Of one that ended before its clock was set just the order
 * is known: it is taken to have ended when the next began, the latest that it can have.
 *
 * @param boots oldest first, with when their last record came, ms since the boot.
 * @param present the boot whose clock is set now.
 */
export function bootDates(
  boots: readonly { readonly boot_id: string; readonly last_uptime_ms: number }[],
  present: { readonly boot_id: string; readonly began_at: number },
): Map<string, number> {
  const dates = new Map([[present.boot_id, present.began_at]]);
  let next = present.began_at;
  for (const { boot_id, last_uptime_ms } of boots.toReversed()) {
    if (boot_id === present.boot_id) continue;
    next -= last_uptime_ms;
    dates.set(boot_id, next);
  }
  return dates;
}
