import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quarter_hour_ms, share, splitSpan } from '../../../gateway/meters/quarter-hours.ts';

const at = (text: string) => Date.parse(`2026-03-01T${text}Z`);

test('an interval of a quarter hour or less stays whole', () => {
  const span = { from: at('10:07:00'), to: at('10:22:00') };
  expect(splitSpan(span)).toEqual([span]);
});

test('a long interval is cut at the quarter hours inside it', () => {
  expect(splitSpan({ from: at('10:50:00'), to: at('11:20:00') })).toEqual([
    { from: at('10:50:00'), to: at('11:00:00') },
    { from: at('11:00:00'), to: at('11:15:00') },
    { from: at('11:15:00'), to: at('11:20:00') },
  ]);
});

test('people are shared out in proportion, as whole people', () => {
  const parts = splitSpan({ from: at('10:50:00'), to: at('11:20:00') });
  expect(share(10, parts)).toEqual([3, 5, 2]);
});

test('a few people over a day are spread over it, not pushed to its front', () => {
  const day = splitSpan({ from: at('00:00:00'), to: at('00:00:00') + 86_400_000 });
  const shares = share(8, day);
  const busy = shares.flatMap((n, i) => (n > 0 ? [i] : []));
  expect(busy).toEqual([6, 18, 30, 42, 54, 66, 78, 90].map((i) => i - 1));
});

test('whatever the interval and the people, the sum is kept and no part lies in two quarter hours', () => {
  const spans = fc.tuple(fc.integer({ min: 0, max: 2e12 }), fc.integer({ min: 1, max: 864e5 }));
  fc.assert(
    fc.property(spans, fc.integer({ min: 0, max: 1e6 }), ([from, length], people) => {
      const parts = splitSpan({ from, to: from + length });
      const shares = share(people, parts);
      expect(shares.reduce((sum, n) => sum + n, 0)).toBe(people);
      expect(shares.every((n) => n >= 0)).toBe(true);
      if (parts.length === 1) return;
      for (const part of parts) {
        const quarter = Math.floor(part.from / quarter_hour_ms);
        expect(part.to).toBeLessThanOrEqual((quarter + 1) * quarter_hour_ms);
      }
    }),
  );
});
