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
 * Whole people for each part, in proportion to its length; the sum is kept exactly (largest
 * remainder: the parts that rounding wronged most get the people left over).
 */
export function share(people: number, parts: readonly Span[]): number[] {
  const length = parts.reduce((sum, part) => sum + part.to - part.from, 0);
  const exact = parts.map((part) => (people * (part.to - part.from)) / length);
  const whole = exact.map(Math.floor);
  const left = people - whole.reduce((sum, n) => sum + n, 0);
  const order = exact
    .map((value, i) => ({ i, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of order.slice(0, left)) whole[i] = (whole[i] ?? 0) + 1;
  return whole;
}
