import { expect, test } from 'vitest';
import { progressLine } from '../../../gateway/cli/delivery-progress.ts';

const line = (...looks: [at: number, buffered: number][]) =>
  progressLine(
    looks.map(([at, buffered]) => ({ at, buffered })),
    null,
  );

test.each([
  ['the first look says only what waits', [[0, 900]], '900 readings wait for HQ'],
  [
    'the pace says when it will be done',
    [
      [0, 900_000],
      [10_000, 600_000],
    ],
    '600000 readings wait for HQ, 30000 fewer a second, done in about 20 s',
  ],
  [
    'minutes and hours are told as such',
    [
      [0, 100_000],
      [10_000, 99_990],
    ],
    '99990 readings wait for HQ, 1 fewer a second, done in about 28 h',
  ],
  [
    'a delivery that stands still says since when',
    [
      [0, 50],
      [4_000, 60],
    ],
    '60 readings wait for HQ, none fewer since 4 s',
  ],
  [
    'the end is said plainly',
    [
      [0, 50],
      [1_000, 0],
    ],
    'HQ has every reading',
  ],
] as [string, [number, number][], string][])('%s', (_what, looks, expected) => {
  expect(line(...looks)).toBe(expected);
});

test('why it stands still is said as HQ, or the line, said it', () => {
  const looks = [0, 9].map((s) => ({ at: s * 1000, buffered: 5 }));
  expect(progressLine(looks, 'HTTP 503')).toBe(
    '5 readings wait for HQ, none fewer since 9 s: HTTP 503',
  );
});
