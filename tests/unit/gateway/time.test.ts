import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTime } from '../../../gateway/profiles/time.ts';

const iso = (text: unknown) => readTime(text, 'iso8601');

test.each([
  ['2024-05-30T20:11:32+08:00', '2024-05-30T12:11:32.000Z'],
  ['2026-08-12T11:50:47-5:00', '2026-08-12T16:50:47.000Z'],
  ['2024-01-11T09:00:00+0000', '2024-01-11T09:00:00.000Z'],
  ['2024-01-11T09:00:00-00:00', '2024-01-11T09:00:00.000Z'],
  ['2024-01-11 09:00:00Z', '2024-01-11T09:00:00.000Z'],
  ['2024-01-11T09:00:00.123456789Z', '2024-01-11T09:00:00.123Z'],
  ['2024-01-11T09:00:00.5+05:30', '2024-01-11T03:30:00.500Z'],
])('a device that writes %s means %s', (written, meant) => {
  expect(new Date(iso(written) ?? 0).toISOString()).toBe(meant);
});

test.each([
  '2024-02-31T09:00:00Z',
  '2024-01-11T25:00:00Z',
  '2024-01-11T09:00:00',
  '20240111',
  '',
  7,
])('a date that does not exist or names no offset is no time: %s', (written) => {
  expect(iso(written)).toBeNull();
});

test('Unix seconds are also read from text, as Terabee sends them', () => {
  expect(readTime('946685671', 'unix_s')).toBe(946_685_671_000);
  expect(readTime(1_700_000_000_123, 'unix_ms')).toBe(1_700_000_000_123);
  expect(readTime('soon', 'unix_s')).toBeNull();
});

const common = fc
  .tuple(
    fc.date({ min: new Date('1970-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
    fc.constantFrom('Z', '+08:00', '-03:30', '+00:00', '-12:00', '+14:00'),
    fc.nat(29),
    fc.constantFrom('', '0', '9', ':', ' ', '-', 'x', '.'),
  )
  .map(([date, zone, at, damage]): [string, string] => {
    const whole = date.toISOString().replace('Z', zone);
    return [whole, whole.slice(0, at) + damage + whole.slice(at + 1)];
  });

test('the short way through a common time means what the long way means, damaged or not', () => {
  fc.assert(
    fc.property(common, ([whole, damaged]) => {
      expect(iso(whole)).toBe(Date.parse(whole));
      // A leading space is not common, so it goes the long way.
      expect(iso(damaged)).toBe(iso(` ${damaged}`));
    }),
    { numRuns: 2_000 },
  );
});
