import { expect, test } from 'vitest';
import { startOfDay } from '../../../gateway/local/page-state.ts';

test.each([
  ['an ordinary day', 'Europe/Madrid', '2026-03-10T15:20:00Z', '2026-03-09T23:00:00.000Z'],
  [
    'the day the clock goes forward',
    'Europe/Madrid',
    '2026-03-29T21:59:00Z',
    '2026-03-28T23:00:00.000Z',
  ],
  ['the day it goes back', 'Europe/Madrid', '2026-10-25T22:59:00Z', '2026-10-24T22:00:00.000Z'],
  [
    'a zone of three quarters of an hour',
    'Asia/Kathmandu',
    '2026-03-10T18:14:00Z',
    '2026-03-09T18:15:00.000Z',
  ],
  [
    'a midnight that does not exist',
    'Africa/Cairo',
    '2026-04-24T10:00:00Z',
    '2026-04-23T22:00:00.000Z',
  ],
])('the store’s day begins at its own midnight: %s', (_what, zone, now, start) => {
  expect(new Date(startOfDay(Date.parse(now), zone)).toISOString()).toBe(start);
});
