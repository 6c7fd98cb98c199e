import { expect, test } from 'vitest';
import { remainder } from '../../../gateway/meters/remainder.ts';
import { type CountReading, readingFlags } from '../../../shared/wire/reading.ts';

const minute = 60_000;
const start = 1_767_225_600_000;
const at = (minutes: number) => start + minutes * minute;

/** The first interval after a start, as the meter cut it at quarter hours. */
function interval(...parts: [from: number, to: number, people: number][]): CountReading[] {
  return parts.map(([from, to, people]) => ({
    kind: 'count',
    sensor_id: 'door',
    observed_at: at(from),
    interval_s: (to - from) * 60,
    in: people,
    out: 0,
    received_at: at(61),
    flags: readingFlags.gap,
  }));
}
const hour = interval([0, 15, 10], [15, 30, 10], [30, 45, 10], [45, 60, 10]);
const known = { sensor_id: 'door', since: at(0), readings: 1, out: 0, is_unclear: false };
const spansOf = (readings: CountReading[] | null) =>
  readings?.map(({ observed_at, interval_s, in: people }) => [
    (observed_at - start) / minute,
    interval_s / 60,
    people,
  ]);

test('people that HQ has are taken off, and the rest stands after what HQ has', () => {
  const left = remainder(hour, { ...known, in: 25, until: at(20) });
  expect(spansOf(left)).toEqual([
    [20, 10, 4],
    [30, 15, 5],
    [45, 15, 6],
  ]);
});

test('nobody is left over where HQ has them all, and that stretch was watched', () => {
  const left = remainder(hour, { ...known, in: 40, until: at(50) });
  expect(spansOf(left)).toEqual([[50, 10, 0]]);
});

test('where HQ has the whole interval there is nothing to add', () => {
  expect(remainder(hour, { ...known, in: 40, until: at(60) })).toEqual([]);
});

test.each([
  ['HQ has more people than the total grew by', hour, { in: 41, until: at(20) }],
  ['the counter began anew in what HQ has', hour, { in: 5, until: at(20), is_unclear: true }],
  [
    'the counter began anew in the interval',
    hour.map((reading) => ({ ...reading, flags: readingFlags.reset })),
    { in: 5, until: at(20) },
  ],
  ['people are left and no time for them', hour, { in: 39, until: at(60) }],
])('nobody can tell what is left where %s', (_why, readings, counted) => {
  expect(remainder(readings, { ...known, ...counted })).toBeNull();
});
