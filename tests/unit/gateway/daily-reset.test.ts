import { expect, test } from 'vitest';
import { lastDailyReset } from '../../../gateway/meters/daily-reset.ts';

test.each([
  // Midnight in Zurich is 23:00 UTC in winter and 22:00 in summer.
  ['2026-03-01T12:00:00Z', '2026-02-28T23:00:00Z'],
  ['2026-03-01T23:00:00Z', '2026-03-01T23:00:00Z'],
  ['2026-03-01T22:59:59Z', '2026-02-28T23:00:00Z'],
  ['2026-07-01T12:00:00Z', '2026-06-30T22:00:00Z'],
  // The clocks go forward at 01:00 UTC on 29 March and back on 25 October.
  ['2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z'],
  ['2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z'],
])('at %s the last midnight in Zurich was %s', (at, midnight) => {
  const last = lastDailyReset({ minute: 0, zone: 'Europe/Zurich' }, Date.parse(at));
  expect(new Date(last).toISOString()).toBe(new Date(midnight).toISOString());
});
