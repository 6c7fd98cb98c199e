/** How long ago, in words short enough for a table. */
import { systemClock } from '../../shared/runtime/clock.ts';

export function ago(at: number | null): string {
  if (at === null) return 'never';
  const seconds = Math.max(0, Math.round((systemClock.now() - at) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}
