import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EpisodeState, Seen } from '../../../cloud-sync/health/alert-states.ts';
import { nextState } from '../../../cloud-sync/health/alert-states.ts';
import { alertKinds } from '../../../cloud-sync/health/alert-types.ts';

const s = 1000;

interface Glance {
  readonly seen: Seen;
  /** Seconds since the glance before. */
  readonly after_s: number;
}
const glances = fc.array(
  fc.record({
    seen: fc.constantFrom<Seen>('holds', 'late', 'gone', 'unknown'),
    after_s: fc.integer({ min: 0, max: 120 }),
  }),
  { maxLength: 60 },
);
const timings = fc.record({
  pending_s: fc.integer({ min: 0, max: 300 }),
  recovering_s: fc.integer({ min: 0, max: 300 }),
});

/** Each glance with the states before and after it. */
function* lived(looks: readonly Glance[], timing: { pending_s: number; recovering_s: number }) {
  let now = 1_000 * s;
  let before: EpisodeState | null = null;
  for (const { seen, after_s } of looks) {
    now += after_s * s;
    const after: EpisodeState | null = nextState(before, seen, timing, now);
    yield { seen, now, before, after };
    before = after;
  }
}
const firing = (one: EpisodeState | null) => one?.state === 'firing' || one?.state === 'recovering';

describe('an alert', () => {
  it('fires only on a cause that is seen now and was never seen gone for as long as it must last', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        let held_since: number | null = null;
        for (const { seen, now, before, after } of lived(looks, timing)) {
          if (seen === 'gone') held_since = null;
          else if (seen !== 'unknown') held_since ??= now;
          if (firing(after) && !firing(before)) {
            expect(seen).toBe('holds');
            expect(now - (held_since ?? Number.NaN)).toBeGreaterThanOrEqual(timing.pending_s * s);
          }
        }
      }),
    );
  });

  it('ends only when its cause was seen gone, and not seen again, for as long as it must be gone', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        let gone_since: number | null = null;
        for (const { seen, now, before, after } of lived(looks, timing)) {
          if (seen === 'gone') gone_since ??= now;
          else if (seen !== 'unknown') gone_since = null;
          if (firing(before) && !firing(after)) {
            expect(seen).toBe('gone');
            expect(now - (gone_since ?? Number.NaN)).toBeGreaterThanOrEqual(
              timing.recovering_s * s,
            );
          }
        }
      }),
    );
  });

  it('stays as it is while nobody can know', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        for (const { seen, before, after } of lived(looks, timing)) {
          if (seen === 'unknown') expect(after).toBe(before);
        }
      }),
    );
  });

  it('is the same after two looks at one time as after one', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        for (const { seen, now, after } of lived(looks, timing)) {
          const again = nextState(after, seen, timing, now);
          // Where nothing must last, the second look is already a later one.
          if (timing.pending_s > 0 && timing.recovering_s > 0) expect(again).toEqual(after);
        }
      }),
    );
  });

  it('is one, however often its cause comes and goes faster than it must be gone', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        const quick = looks.map((one) => ({ ...one, after_s: 1 }));
        const episodes = [...lived(quick, { ...timing, recovering_s: 61 })].filter(
          ({ before, after }) => firing(after) && !firing(before),
        );
        expect(episodes.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('fires sooner or later when its cause stays', () => {
    fc.assert(
      fc.property(glances, timings, (looks, timing) => {
        const then = Array.from({ length: 6 }, () => ({ seen: 'holds' as const, after_s: 60 }));
        expect([...lived([...looks, ...then], timing)].at(-1)?.after?.state).toBe('firing');
      }),
    );
  });
});

it('every kind of alert stands in docs/alerts.md with its severity', () => {
  const text = readFileSync(
    path.resolve(import.meta.dirname, '../../../../docs/alerts.md'),
    'utf8',
  );
  const told = [...text.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, kind, severity]) => [
    kind,
    severity,
  ]);
  const known = Object.entries(alertKinds).map(([kind, { severity }]) => [kind, severity]);
  expect(told.sort()).toEqual(known.sort());
});
