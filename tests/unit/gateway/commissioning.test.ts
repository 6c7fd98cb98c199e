import { expect, test } from 'vitest';
import { judgeAudit, judgeWalk } from '../../../gateway/pairing/commissioning.ts';

const people = (into: number, out: number) => ({ in: into, out });

test.each([
  ['nobody yet', people(0, 0), 'waiting'],
  ['one of them', people(1, 0), 'waiting'],
  ['each of them', people(2, 1), 'pass'],
  ['each the other way', people(1, 2), 'swapped'],
  ['all of them as in', people(3, 0), 'miscounted'],
  ['one too many', people(2, 2), 'miscounted'],
])('a walk of two in and one out, counted: %s', (_what, counted, verdict) => {
  expect(judgeWalk(people(2, 1), counted, true)).toBe(verdict);
});

test('a counter of passages cannot be the wrong way round', () => {
  expect(judgeWalk(people(2, 1), people(1, 2), false)).toBe('pass');
  expect(judgeWalk(people(2, 1), people(2, 2), false)).toBe('miscounted');
});

test.each([
  ['95 % each way is enough', people(100, 200), people(95, 210), 'pass'],
  ['below that each way counts alone', people(100, 200), people(94, 200), 'miscounted'],
  ['good on few people proves nothing', people(99, 200), people(99, 200), 'too_few'],
  ['bad on few people proves nothing', people(10, 10), people(5, 10), 'too_few'],
  ['exchanged', people(100, 200), people(201, 99), 'swapped'],
])('an audit: %s', (_what, by_hand, counted, verdict) => {
  expect(judgeAudit(by_hand, counted)).toBe(verdict);
});
