/**
 * Cuts a long interval at quarter hours. Every zone's offset is a multiple of 15 minutes, so a cut
 * interval lies in one hour of any store, and HQ never has to guess how to share people out.
 */

export const quarter_hour_ms = 15 * 60 * 1000;

export interface Span {
  /** ms since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** The parts of a span between quarter hours, in order; the span itself when it is short enough. */
export function splitSpan(span: Span): Span[] {
  if (span.to - span.from <= quarter_hour_ms) return [span];
  const parts: Span[] = [];
  let from = span.from;
  while (from < span.to) {
    const next = (Math.floor(from / quarter_hour_ms) + 1) * quarter_hour_ms;
    const to = Math.min(next, span.to);
    parts.push({ from, to });
    from = to;
  }
  return parts;
}

/**
 * Whole people for each part, in proportion to its length; the sum is kept exactly. Rounds what has
 * passed by the end of each part, so that a few people over a long interval are spread over it.
 */
export function share(people: number, parts: readonly Span[]): number[] {
  const start = parts[0]?.from ?? 0;
  const length = (parts.at(-1)?.to ?? 0) - start;
  const passed = parts.map((part) => Math.round((people * (part.to - start)) / length));
  return passed.map((sum, i) => sum - (passed[i - 1] ?? 0));
}
