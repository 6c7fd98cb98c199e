import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MeterState, newMeterState, step } from '../../../gateway/meters/meter.ts';
import type { MeasureRecord } from '../../../gateway/profiles/measure.ts';
import type { CountReading } from '../../../shared/wire/reading.ts';
import { readingFlags } from '../../../shared/wire/reading.ts';

const noon = Date.parse('2026-03-01T12:00:00Z');

function record(
  measures: MeasureRecord['measures'],
  over: Partial<MeasureRecord> = {},
): MeasureRecord {
  return {
    element: '',
    region_id: 'zone',
    measures,
    device: { from: null, to: null },
    interval_s: null,
    time_unreadable: false,
    dedupe_key: null,
    reset_marker: null,
    people_per_minute_max: 300,
    ...over,
  };
}

const delta = (people: { in: number; out: number }, from: number | null, to: number | null) =>
  record(
    (['in', 'out'] as const).map((target) => {
      return {
        target,
        value: people[target],
        semantics: 'delta',
        role: 'primary',
        modulus: null,
        resets: true,
      };
    }),
    { device: { from, to } },
  );

const totals = (people: { in: number; out: number }) =>
  record(
    (['in', 'out'] as const).map((target) => {
      return {
        target,
        value: people[target],
        semantics: 'cumulative',
        role: 'primary',
        modulus: 65_536,
        resets: true,
      };
    }),
  );

const crossing = (at: number | null) =>
  record(
    [{ target: 'in', value: 1, semantics: 'event', role: 'primary', modulus: null, resets: true }],
    {
      device: { from: null, to: at },
    },
  );

/** Steps through records; collects the count readings. */
function run(steps: readonly { record: MeasureRecord; at: number }[], report_interval_ms = 60_000) {
  let state: MeterState = newMeterState;
  const readings: CountReading[] = [];
  for (const { record: each, at } of steps) {
    const result = step(state, 'front-door', each, { received_at: at, report_interval_ms });
    state = result.state;
    readings.push(...(result.readings as CountReading[]));
  }
  return readings;
}

test('who takes the out counter to exactly 0 is counted when nobody follows, but not in a lost line', () => {
  const minutes = (samples: readonly (readonly [number, number])[]) =>
    run(samples.map(([i, o], k) => ({ record: totals({ in: i, out: o }), at: noon + k * 60_000 })));
  const people = (readings: CountReading[]) => readings.reduce((sum, each) => sum + each.out, 0);
  expect(
    people(
      minutes([
        [65_530, 65_535],
        [3, 0],
        [3, 0],
      ]),
    ),
  ).toBe(1);
  expect(
    people(
      minutes([
        [65_530, 65_535],
        [0, 0],
        [65_530, 65_535],
      ]),
    ),
  ).toBe(0);
});

test('a device that lost its totals while nobody asked has not run over', () => {
  const at = (hours: number, i: number, o: number) => {
    return { record: totals({ in: i, out: o }), at: noon + hours * 3_600_000 };
  };
  const night = [at(0, 40_000, 39_900), at(8, 4, 2), at(8.001, 4, 3), at(8.1, 5, 3)];
  const readings = run(night);
  expect(readings.reduce((sum, each) => sum + each.in, 0)).toBe(5);
  expect(readings.reduce((sum, each) => sum + each.out, 0)).toBe(3);
  const both = run([at(0, 65_000, 64_900), at(8, 400, 300), at(8.1, 400, 300)]);
  expect(both.reduce((sum, each) => sum + each.in + each.out, 0)).toBe(2 * 936);
});

test('a delta with its own interval becomes one reading of that interval', () => {
  const [reading] = run([
    { record: delta({ in: 3, out: 1 }, noon, noon + 60_000), at: noon + 61_000 },
  ]);
  expect(reading).toMatchObject({ observed_at: noon, interval_s: 60, in: 3, out: 1, flags: 0 });
});

test('a device whose clock was never set is believed about people and not about time', () => {
  const reset = Date.parse('2000-01-01T00:01:00Z');
  const [reading] = run([{ record: delta({ in: 3, out: 1 }, reset - 60_000, reset), at: noon }]);
  expect(reading).toMatchObject({
    observed_at: noon - 60_000,
    interval_s: 60,
    in: 3,
    flags: readingFlags.device_time_rejected,
  });
});

test('an interval of an hour is cut at quarter hours with its people', () => {
  const readings = run([
    { record: delta({ in: 7, out: 0 }, noon, noon + 3_600_000), at: noon + 3_601_000 },
  ]);
  expect(readings.map((r) => [r.observed_at - noon, r.interval_s, r.in, r.flags])).toEqual([
    [0, 900, 2, readingFlags.split],
    [900_000, 900, 2, readingFlags.split],
    [1_800_000, 900, 1, readingFlags.split],
    [2_700_000, 900, 2, readingFlags.split],
  ]);
});

test('two people in one device second stay two readings in that second', () => {
  const readings = run([
    { record: crossing(noon), at: noon + 10 },
    { record: crossing(noon), at: noon + 20 },
  ]);
  expect(new Set(readings.map((r) => r.observed_at)).size).toBe(2);
  expect(readings.every((r) => Math.floor(r.observed_at / 1000) === noon / 1000)).toBe(true);
});

test('2,500 people with one device time, as a clock that stands still gives, have 2,500 names', () => {
  const steps = Array.from({ length: 2_500 }, (_, i) => ({ record: crossing(noon), at: noon + i }));
  const starts = run(steps).map((r) => r.observed_at);
  expect(new Set(starts).size).toBe(2_500);
  expect(starts.every((start) => start >= noon && start < noon + 900_000)).toBe(true);
});

test('an interval that arrives after a younger one keeps its time and says that it is late', () => {
  const readings = run([
    { record: delta({ in: 1, out: 0 }, noon + 60_000, noon + 120_000), at: noon + 121_000 },
    { record: delta({ in: 2, out: 0 }, noon, noon + 60_000), at: noon + 122_000 },
  ]);
  expect(readings[1]).toMatchObject({ in: 2, flags: readingFlags.late });
  expect(Math.floor((readings[1]?.observed_at ?? 0) / 1000)).toBe(noon / 1000);
});

test('a polled counter reports once a boundary, all people since the last report', () => {
  const polls = [0, 20_000, 40_000, 60_000, 80_000, 120_000].map((ms, i) => {
    return { record: totals({ in: 100 + i, out: 50 }), at: noon + ms };
  });
  expect(run(polls).map((r) => [r.observed_at - noon, r.interval_s, r.in, r.out])).toEqual([
    [0, 60, 3, 0],
    [60_000, 60, 2, 0],
  ]);
});

test('an empty shop reports zero people, which is not the same as silence', () => {
  const polls = [0, 60_000].map((ms) => ({ record: totals({ in: 9, out: 9 }), at: noon + ms }));
  expect(run(polls)).toMatchObject([{ in: 0, out: 0, interval_s: 60 }]);
});

test('a gateway that was down reports the hidden people with the gap flagged', () => {
  const polls = [
    { record: totals({ in: 100, out: 0 }), at: noon },
    { record: totals({ in: 140, out: 0 }), at: noon + 600_000 },
  ];
  expect(run(polls)).toMatchObject([{ in: 40, interval_s: 600, flags: readingFlags.gap }]);
});

test('a clock set back by hours goes on counting from its new time', () => {
  const hour = 3_600_000;
  const readings = run([
    { record: totals({ in: 100, out: 0 }), at: noon + 5 * hour },
    { record: totals({ in: 101, out: 0 }), at: noon },
    { record: totals({ in: 103, out: 0 }), at: noon + 60_000 },
  ]);
  expect(readings).toMatchObject([{ observed_at: noon, in: 3 }]);
});

test('whatever arrives and when, no two readings of a sensor start at the same time and no person is lost', () => {
  const event = fc.record({
    people: fc.record({ in: fc.nat(5), out: fc.nat(5) }),
    from: fc.integer({ min: -5, max: 5 }),
    length_s: fc.integer({ min: 0, max: 4_000 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const steps = events.map(({ people, from, length_s }) => {
        const start = noon + from * 1000;
        return { record: delta(people, start, start + length_s * 1000), at: noon + 4_100_000 };
      });
      const readings = run(steps);
      expect(new Set(readings.map((r) => r.observed_at)).size).toBe(readings.length);
      for (const direction of ['in', 'out'] as const) {
        const sent = events.reduce((sum, e) => sum + e.people[direction], 0);
        expect(readings.reduce((sum, r) => sum + r[direction], 0)).toBe(sent);
      }
    }),
  );
});
