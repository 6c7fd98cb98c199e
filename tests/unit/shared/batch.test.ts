import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batch_rows_max, batchSchema, toBatch } from '../../../shared/wire/batch.ts';
import type { BufferedReading } from '../../../shared/wire/reading.ts';

const identity = {
  batch_id: '0198c3a0-0000-7000-8000-000000000001',
  epoch: '0198c3a0-0000-7000-8000-000000000002',
};
const noon = Date.parse('2026-03-01T12:00:00Z');

function count(sequence: number): Extract<BufferedReading, { kind: 'count' }> {
  const times = { observed_at: noon + sequence * 1000, interval_s: 1, received_at: noon };
  return { kind: 'count', sequence, sensor_id: 'front-door', ...times, in: 1, out: 0, flags: 0 };
}

const zone = (over: object) => ({
  kind: 'zone' as const,
  sequence: 1,
  sensor_id: 'ceiling',
  region_id: 'tills',
  observed_at: noon,
  interval_s: 0,
  occupancy: 4,
  dwell_s: 12.5,
  dwell_max_s: null,
  received_at: noon,
  flags: 0,
  ...over,
});

const batchOf = (...readings: BufferedReading[]) =>
  toBatch({ ...identity, first_sequence: 1, last_sequence: readings.length || 1 }, readings);
const refusals = (batch: unknown) =>
  batchSchema
    .safeParse(batch)
    .error?.issues.map((i) => `${i.path.join('.')} ${i.message}`)
    .join();

test('what the gateway builds, HQ takes', () => {
  const reading = fc.record({ in: fc.nat(1_000), out: fc.nat(1_000), length: fc.nat(3_600_000) });
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 20 }), (all) => {
      const readings = all.map((each, i): BufferedReading => {
        return { ...count(i + 1), in: each.in, out: each.out, interval_s: each.length / 1000 };
      });
      expect(refusals(batchOf(...readings))).toBeUndefined();
    }),
  );
});

test('the same readings give the same bytes', () => {
  const bytes = () => JSON.stringify(batchOf(count(1), zone({ sequence: 2 })));
  expect(bytes()).toBe(bytes());
});

test.each([
  [
    'a stay shorter than a millisecond, which no column holds',
    batchOf(zone({ dwell_s: 1e-60 })),
    'millisecond',
  ],
  ['half a character', batchOf(zone({ region_id: 'a\ud800' })), 'no text can hold'],
  ['a range that ends before it begins', { ...batchOf(), first_sequence: 5 }, 'before the first'],
  [
    'a column shorter than the others',
    { ...batchOf(count(1)), counts: { ...batchOf(count(1)).counts, in: [] } },
    'counts.in',
  ],
  [
    'a row outside its range',
    { ...batchOf(count(1)), first_sequence: 2, last_sequence: 3 },
    'outside',
  ],
  ['a sensor that is not named', { ...batchOf(count(1)), sensors: [] }, 'names no sensor'],
  ['a field of its own', { ...batchOf(), organization_id: 'x' }, 'organization_id'],
])('%s is refused by name', (_what, batch, named) => {
  expect(refusals(batch)).toContain(named);
});

test('a column of a million values is refused before its values are looked at', () => {
  const sequence = new Array(1_000_000).fill({});
  const batch = { ...batchOf(), counts: { ...batchOf().counts, sequence } };
  const issues = batchSchema.safeParse(batch).error?.issues ?? [];
  expect(issues.some(({ message }) => message.includes(`more than ${batch_rows_max}`))).toBe(true);
  expect(issues.length).toBeLessThan(20);
});
