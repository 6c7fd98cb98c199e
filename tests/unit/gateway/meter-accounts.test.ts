/** Devices that tell the same people twice, and counters that are mounted the wrong way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Direction, turn } from '../../../gateway/meters/direction.ts';
import { type MeterState, newMeterState, step } from '../../../gateway/meters/meter.ts';
import type { Measure, MeasureRecord } from '../../../gateway/profiles/measure.ts';

const noon = Date.parse('2026-03-01T12:00:00Z');
const minute = 60_000;

function measure(target: Measure['target'], value: number, over: Partial<Measure>): Measure {
  return {
    target,
    value,
    semantics: 'delta',
    role: 'primary',
    modulus: null,
    resets: true,
    ...over,
  };
}

function record(measures: readonly Measure[], over: Partial<MeasureRecord> = {}): MeasureRecord {
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

/** Records a minute apart; people counted and what the meter noted. */
function run(records: readonly MeasureRecord[]) {
  let state: MeterState = newMeterState;
  let people = 0;
  let out = 0;
  const notes: string[] = [];
  // One minute more, so that the last total is reported too.
  records.forEach((each, i) => {
    const times = { received_at: noon + i * minute, report_interval_ms: minute };
    const after = step(state, 'door', each, times);
    state = after.state;
    for (const reading of after.readings) {
      if (reading.kind !== 'count') continue;
      people += reading.in;
      out += reading.out;
    }
    notes.push(...after.notes);
  });
  return { in: people, out, notes };
}

const total = (value: number, over: Partial<Measure> = {}) =>
  measure('in', value, { semantics: 'cumulative', ...over });

test('once a total is known, intervals of the same people no longer count', () => {
  const period = (people: number) => record([measure('in', people, { role: 'fallback' })]);
  const counted = run([period(2), record([total(100)]), period(3), record([total(103)])]);
  expect(counted.in).toBe(2 + 3);
});

test('an interval and its total in one message are the same people', () => {
  const both = (people: number, sum: number) =>
    record([total(sum), measure('in', people, { role: 'fallback' })]);
  expect(run([both(4, 50), both(3, 53), both(2, 55)]).in).toBe(5);
});

test('a total that moves otherwise than the intervals is told, not added', () => {
  const checked = (people: number, sum: number) =>
    record([measure('in', people, {}), total(sum, { role: 'check' })]);
  const counted = run([checked(4, 50), checked(3, 53), checked(2, 60)]);
  expect(counted.in).toBe(9);
  expect(counted.notes.filter((note) => note === 'accounts_differ')).toHaveLength(1);
});

test('a total behind a changed reset marker begins at 0, at once and even when it is higher', () => {
  const since = (marker: string, value: number) => record([total(value)], { reset_marker: marker });
  expect(run([since('mon', 100), since('mon', 110), since('tue', 120)]).in).toBe(10 + 120);
});

test('a total that fell while the device started again counts from 0 at once', () => {
  const running = (uptime: number, value: number) => record([total(value)], { uptime });
  expect(run([running(900, 100), running(960, 104), running(30, 3)]).in).toBe(4 + 3);
  expect(run([running(900, 100), running(960, 104), running(30, 106)]).in).toBe(6);
});

test('a total that is cleared at noon of its zone counts from 0 at once, and no sooner', () => {
  const resets_daily = { minute: 13 * 60, zone: 'Europe/Zurich' };
  const cleared = (value: number) => record([total(value)], { resets_daily });
  // The first is heard at noon UTC, which is 13:00 in Zurich: that reset is behind it.
  expect(run([cleared(100), cleared(3)]).notes).toContain('held');
  const eleven = { resets_daily: { ...resets_daily, minute: 13 * 60 + 1 } };
  expect(run([record([total(100)], eleven), record([total(3)], eleven)]).in).toBe(3);
});

test('a history of totals that a device sends again is not counted again', () => {
  const dated = (value: number, at: number) =>
    record([total(value)], { device: { from: null, to: noon + at * minute } });
  expect(
    run([dated(100, 0), dated(108, 1), dated(20, -60), dated(21, -59), dated(109, 2)]).in,
  ).toBe(9);
});

test('a zone is about its interval, and HQ takes none longer than an hour', () => {
  const zone = record([measure('occupancy', 3, { semantics: 'instant' })], {
    device: { from: noon - 3 * 60 * minute, to: noon },
  });
  const times = { received_at: noon, report_interval_ms: minute };
  expect(step(newMeterState, 'hall', zone, times).readings).toMatchObject([
    { kind: 'zone', observed_at: noon - 60 * minute, interval_s: 3600, occupancy: 3 },
  ]);
});

test('a negative occupancy is kept as the device says it, and counts nobody', () => {
  const zone = record([measure('occupancy', -2, { semantics: 'instant' })]);
  const times = { received_at: noon, report_interval_ms: minute };
  expect(step(newMeterState, 'hall', zone, times).readings).toMatchObject([
    { kind: 'zone', occupancy: -2 },
  ]);
});

test.each<[Direction, object]>([
  ['as-is', { in: 3, out: 1 }],
  ['swapped', { in: 1, out: 3 }],
])('a counter that is mounted %s', (direction, people) => {
  const turned = turn(record([measure('in', 3, {}), measure('out', 1, {})]), direction);
  expect(Object.fromEntries(turned.measures.map((m) => [m.target, m.value]))).toEqual(people);
});

test('half of what a 16-bit beam counts came in and half went out, through every wrap', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65_535 }), steps, (start, passages) => {
      let n = start;
      const sample = () => {
        const beam = measure('passages', n % 65_536, { semantics: 'cumulative', modulus: 65_536 });
        return turn(record([beam]), 'halved');
      };
      const records = [sample()];
      for (const more of passages) {
        n += more;
        records.push(sample());
      }
      // A half that reads 0 may have passed its end; its next step tells.
      while (Math.ceil(n / 2) % 32_768 === 0 || Math.floor(n / 2) % 32_768 === 0) {
        n += 2;
        records.push(sample());
      }
      const counted = run(records);
      expect(counted.in).toBe(Math.ceil(n / 2) - Math.ceil(start / 2));
      expect(counted.out).toBe(Math.floor(n / 2) - Math.floor(start / 2));
    }),
  );
});
