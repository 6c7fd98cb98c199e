/**
 * The life of an alert; pure.
 *
 * pending → firing → recovering → resolved. A cause must last before anybody is told, and must be
 * gone for a while before the episode ends, so that what comes and goes is one alert. While nobody
 * can know, everything stays as it is: a store behind a cut line is unknown, not well.
 */
import type { AlertTiming } from './alert-types.ts';

export interface EpisodeState {
  readonly state: 'pending' | 'firing' | 'recovering';
  /** When it entered this state, ms since the epoch, HQ's clock. */
  readonly since: number;
}

/** What one look found: `late` holds, but in readings of a time long past. */
export type Seen = 'holds' | 'late' | 'gone' | 'unknown';

/**
 * The state after one look, or null when there is no episode (any more). Looking twice at one time
 * changes nothing, so several processes may look.
 *
 * @param now ms since the epoch, HQ's clock.
 */
export function nextState(
  before: EpisodeState | null,
  seen: Seen,
  { pending_s, recovering_s }: AlertTiming,
  now: number,
): EpisodeState | null {
  if (seen === 'unknown') return before;
  const holds = seen !== 'gone';
  const lasted = (since: number, s: number) => now - since >= s * 1000;
  switch (before?.state) {
    case undefined:
      if (!holds) return null;
      return { state: seen === 'holds' && pending_s === 0 ? 'firing' : 'pending', since: now };
    case 'pending':
      if (!holds) return null;
      return seen === 'holds' && lasted(before.since, pending_s)
        ? { state: 'firing', since: now }
        : before;
    case 'firing':
      if (holds) return before;
      return recovering_s === 0 ? null : { state: 'recovering', since: now };
    case 'recovering':
      if (holds) return { state: 'firing', since: now };
      return lasted(before.since, recovering_s) ? null : before;
  }
}
