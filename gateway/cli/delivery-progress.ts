/** How a long delivery gets on: what waits, how fast it shrinks, when it will be done. Pure. */

export interface BacklogSample {
  /** Readings that wait for HQ. */
  readonly buffered: number;
  /** When it was looked at, ms on any clock that does not jump. */
  readonly at: number;
}

/** The pace is that of this many looks: one batch more or less must not make the end jump. */
export const samples_kept = 30;

/**
 * @param samples oldest first, at least one.
 * @param error why HQ did not take the last batch, or null.
 */
export function progressLine(samples: readonly BacklogSample[], error: string | null): string {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return '';
  const waits = `${last.buffered} readings wait for HQ`;
  const seconds = (last.at - first.at) / 1000;
  if (last.buffered === 0) return 'HQ has every reading';
  const why = error === null ? '' : `: ${error}`;
  if (seconds === 0) return `${waits}${why}`;
  const pace = (first.buffered - last.buffered) / seconds;
  if (pace <= 0) return `${waits}, none fewer since ${Math.round(seconds)} s${why}`;
  const left_s = Math.ceil(last.buffered / pace);
  return `${waits}, ${Math.round(pace)} fewer a second, done in about ${duration(left_s)}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
