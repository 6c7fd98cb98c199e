/** What a walk test or an audit proves about a sensor. Pure. */
import {
  audit_accuracy_min,
  audit_people_min,
  type CommissioningRecord,
} from '../../shared/wire/commissioning.ts';
import type { Crossings } from '../meters/tally.ts';

export type Verdict = CommissioningRecord['verdict'];

/**
 * What the steps so far prove; `waiting` while the sensor has counted fewer people than walked.
 *
 * @param tellsDirection whether the device tells in from out; one that counts passages cannot be
 *   mounted the wrong way round.
 */
export function judgeWalk(
  expected: Crossings,
  counted: Crossings,
  tellsDirection: boolean,
): Verdict | 'waiting' {
  const missing = expected.in + expected.out - counted.in - counted.out;
  if (missing > 0) return 'waiting';
  if (!tellsDirection) return missing === 0 ? 'pass' : 'miscounted';
  if (counted.in === expected.in && counted.out === expected.out) return 'pass';
  return counted.in === expected.out && counted.out === expected.in ? 'swapped' : 'miscounted';
}

export interface Accuracy {
  /** 1 − |counted − by hand| / by hand; null where nobody walked that way. */
  readonly in: number | null;
  readonly out: number | null;
}

/** Lines of one device err each in their own way, and so does each direction of a line. */
export function accuracyOf(by_hand: Crossings, counted: Crossings): Accuracy {
  const one = (hand: number, sensor: number) =>
    hand === 0 ? null : Math.max(0, 1 - Math.abs(sensor - hand) / hand);
  return { in: one(by_hand.in, counted.in), out: one(by_hand.out, counted.out) };
}

export function judgeAudit(by_hand: Crossings, counted: Crossings): Verdict {
  const accuracy = accuracyOf(by_hand, counted);
  const people = [by_hand.in, by_hand.out];
  const enough = people.every((each) => each >= audit_people_min);
  const swapped = accuracyOf(by_hand, { in: counted.out, out: counted.in });
  if (isGood(accuracy)) return enough ? 'pass' : 'too_few';
  if (isGood(swapped)) return 'swapped';
  return enough ? 'miscounted' : 'too_few';
}

function isGood(accuracy: Accuracy): boolean {
  return [accuracy.in, accuracy.out].every((each) => each === null || each >= audit_accuracy_min);
}
