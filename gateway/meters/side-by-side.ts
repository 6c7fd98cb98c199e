/** What the totals of one sample say about each other: a device loses its line or its memory for all of them. Pure. */
import type { Measure } from '../profiles/measure.ts';
import type { Counter, CounterRules } from './cumulative.ts';

/** Two counters run over between two samples only where both were as near their ends as this. */
const near_end_people = 1_000;

/** @param counters as they were before the sample. */
export function sideBySide(
  counters: { readonly in: Counter | null; readonly out: Counter | null },
  totals: readonly Measure[],
  target: Measure['target'],
): Required<Pick<CounterRules, 'other_stands' | 'restarted'>> {
  const fallen = totals.flatMap((each) => {
    const before = each.target === 'in' || each.target === 'out' ? counters[each.target] : null;
    if (before === null || each.modulus === null || each.value >= before.value) return [];
    return [{ to_end: each.modulus - before.value }];
  });
  const isFar = fallen.some(({ to_end }) => to_end > near_end_people);
  const restarted = fallen.length > 1 && isFar;
  const other = totals.some((each) => each.target !== target && each.value > 0);
  return { restarted, other_stands: other && !restarted };
}
