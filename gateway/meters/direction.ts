/**
 * How a counter is mounted, which only the site knows: the wrong way round, or counting passages
 * without telling in from out. Pure.
 */
import type { Measure, MeasureRecord } from '../profiles/measure.ts';

export const directions = ['as-is', 'swapped', 'in', 'out', 'halved'] as const;
export type Direction = (typeof directions)[number];

/**
 * `swapped` exchanges in and out. Passages become people in (`in`), people out (`out`), or half and
 * half (`halved`, also when nothing is said: who enters leaves).
 */
export function turn(record: MeasureRecord, direction: Direction): MeasureRecord {
  const plain = direction === 'as-is' && record.measures.every((m) => m.target !== 'passages');
  if (plain) return record;
  return { ...record, measures: record.measures.flatMap((each) => turned(each, direction)) };
}

function turned(measure: Measure, direction: Direction): Measure[] {
  const { target } = measure;
  if (target === 'passages') return passages(measure, direction);
  if (direction !== 'swapped') return [measure];
  if (target === 'in') return [{ ...measure, target: 'out' }];
  return target === 'out' ? [{ ...measure, target: 'in' }] : [measure];
}

function passages(measure: Measure, direction: Direction): Measure[] {
  if (direction === 'in' || direction === 'out') return [{ ...measure, target: direction }];
  const modulus = measure.modulus === null ? null : measure.modulus / 2;
  const half = (target: 'in' | 'out', value: number): Measure => {
    // The first of a pair comes in. A total of 65,535 is 32,768 of them, the 0 of the next round.
    return { ...measure, target, modulus, value: modulus === null ? value : value % modulus };
  };
  return [half('in', Math.ceil(measure.value / 2)), half('out', Math.floor(measure.value / 2))];
}
