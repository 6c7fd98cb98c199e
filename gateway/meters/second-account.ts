/**
 * Devices that give the people of an interval and their running total in one message keep two
 * accounts of the same people. One counts; the other is compared: where the total moved by more or
 * less than the intervals, an interval was lost on the way or counted twice. Pure.
 */
import type { Measure } from '../profiles/measure.ts';

export interface Account {
  /** Last totals, and the people counted by intervals since the accounts were last equal. */
  readonly in: number | null;
  readonly out: number | null;
}

/** @returns the account to keep, and whether it moved otherwise than the intervals say. */
export function compare(
  before: Account | undefined,
  measures: readonly Measure[],
  counted: { readonly in: number; readonly out: number },
): { account: Account | undefined; differs: boolean } {
  if (!measures.some(isCheck)) return { account: before, differs: false };
  return compared(before, measures.filter(isCheck), counted);
}

function isCheck({ role }: Measure): boolean {
  return role === 'check';
}

/** @param totals the check measures, at least one. */
function compared(
  before: Account | undefined,
  totals: readonly Measure[],
  counted: { readonly in: number; readonly out: number },
): { account: Account; differs: boolean } {
  const now = (target: 'in' | 'out') =>
    totals.find((measure) => measure.target === target)?.value ?? before?.[target] ?? null;
  const account = { in: now('in'), out: now('out') };
  const moved = (target: 'in' | 'out') => {
    const [was, is] = [before?.[target] ?? null, account[target]];
    // A fall is a reset of the total, which says nothing about the intervals.
    return was !== null && is !== null && is >= was && is - was !== counted[target];
  };
  return { account, differs: moved('in') || moved('out') };
}
