import { expect, it } from 'vitest';
import type { UsualHour } from '../../../cloud-sync/health/expected-traffic.ts';
import { expectedPeople } from '../../../cloud-sync/health/expected-traffic.ts';

const hour_ms = 3_600_000;
const usual = (start_h: number, people: number | null): UsualHour => ({
  start: start_h * hour_ms,
  end: (start_h + 1) * hour_ms,
  people,
});

it('people expected since the last one are counted by the part of each hour that has passed', () => {
  const hours = [usual(9, 20), usual(10, 40), usual(11, 60)];
  expect(expectedPeople(hours, 9.5 * hour_ms, 11.25 * hour_ms)).toBe(10 + 40 + 15);
});

it('an hour that nobody knows yet expects nobody', () => {
  expect(expectedPeople([usual(9, null), usual(10, 30)], 9 * hour_ms, 10.5 * hour_ms)).toBe(15);
});
