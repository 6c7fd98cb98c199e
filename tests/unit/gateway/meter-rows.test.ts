import { expect, test } from 'vitest';
import { keptMeter } from '../../../gateway/buffer/meter-rows.ts';
import { newMeterState, step } from '../../../gateway/meters/meter.ts';
import type { MeasureRecord } from '../../../gateway/profiles/measure.ts';

const from = Date.UTC(2026, 0, 5, 9);
const interval: MeasureRecord = {
  element: '',
  region_id: '',
  measures: [
    { target: 'in', value: 3, semantics: 'delta', role: 'primary', modulus: null, resets: true },
  ],
  device: { from, to: from + 60_000 },
  interval_s: null,
  time_unreadable: false,
  dedupe_key: null,
  reset_marker: null,
  people_per_minute_max: 300,
};

test('of a meter that counts intervals nothing stands on disk but its times: it is written with every commit', () => {
  const { state } = step(newMeterState, 'door', interval, {
    received_at: from + 61_000,
    report_interval_ms: 60_000,
  });
  expect(keptMeter(state)).toEqual([null, from / 1000, 60_000, null, null]);
});
