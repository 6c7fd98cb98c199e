import { expect, test } from 'vitest';
import { type MeterState, newMeterState, step } from '../../../gateway/meters/meter.ts';
import type { MeasureRecord } from '../../../gateway/profiles/measure.ts';
import { type CountReading, readingFlags } from '../../../shared/wire/reading.ts';

const noon = Date.parse('2026-03-01T12:00:00Z');
const minute_ms = 60_000;

function total(value: number): MeasureRecord {
  const of = { target: 'in', semantics: 'cumulative', role: 'primary' } as const;
  return {
    element: '',
    region_id: 'zone',
    measures: [{ ...of, value, modulus: null, resets: true }],
    device: { from: null, to: null },
    interval_s: null,
    time_unreadable: false,
    dedupe_key: null,
    reset_marker: null,
    people_per_minute_max: 300,
  };
}

/** A gateway that stored a total of 100 at noon and starts again; what it then reads, by the minute. */
function resumed(samples: readonly (readonly [minute: number, total: number])[]): CountReading[] {
  const shared = { report_interval_ms: minute_ms, isResumed: true };
  let state: MeterState = step(newMeterState, 'door', total(100), {
    ...shared,
    received_at: noon,
  }).state;
  const readings: CountReading[] = [];
  for (const [minute, value] of samples) {
    const received_at = noon + minute * minute_ms;
    const isResumed = readings.length === 0;
    const after = step(state, 'door', total(value), { ...shared, received_at, isResumed });
    state = after.state;
    readings.push(...(after.readings as CountReading[]));
  }
  return readings;
}

const spans = (readings: readonly CountReading[]) =>
  readings.map(({ observed_at, interval_s, in: people, flags }) => {
    const from = (observed_at - noon) / minute_ms;
    return [from, from + interval_s / 60, people, flags & ~readingFlags.gap];
  });

test('the first interval after a start ends at the next sample where that is believed', () => {
  expect(
    spans(
      resumed([
        [10, 104],
        [11, 106],
      ]),
    ),
  ).toEqual([
    [0, 10, 4, 0],
    [10, 11, 2, 0],
  ]);
});

test('a counter that began anew meanwhile has the people of its new round in the first interval', () => {
  expect(
    spans(
      resumed([
        [10, 20],
        [11, 21],
      ]),
    ),
  ).toEqual([[0, 11, 21, readingFlags.reset]]);
});

test('a leap that the second sample confirms is in the first interval too', () => {
  expect(
    spans(
      resumed([
        [1, 900],
        [2, 901],
      ]),
    ),
  ).toEqual([[0, 2, 801, 0]]);
});

test('a total that stays in doubt holds up its sensor for no more than a quarter hour', () => {
  const minutes = Array.from({ length: 20 }, (_, at) => [at + 1, 90] as const);
  const flags = readingFlags.reset | readingFlags.split;
  expect(spans(resumed(minutes)).slice(0, 2)).toEqual([
    [0, 15, 0, flags],
    [15, 16, 0, flags],
  ]);
});
