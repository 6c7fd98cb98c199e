import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';
import { decode } from '../../../gateway/profiles/decode.ts';
import { profileSchema } from '../../../gateway/profiles/profile.ts';

const folder = fileURLToPath(new URL('../../../../gateway/profiles/built-in', import.meta.url));
const catalogue = loadCatalogue([folder]);
const read = (profile: string, bytes: Uint8Array) =>
  decode(profileNamed(catalogue, profile), bytes);
const text = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const hex = (value: string) => Uint8Array.from(Buffer.from(value, 'hex'));

/** Target and value of each measure, or the fault's reason. */
function measured(profile: string, bytes: Uint8Array) {
  const decoded = read(profile, bytes);
  if (decoded.outcome === 'fault') return decoded.reason;
  if (decoded.outcome !== 'records') return decoded.outcome;
  return Object.fromEntries(decoded.records[0]?.measures.map((m) => [m.target, m.value]) ?? []);
}

test('an interval message gives both directions, its interval and its key', () => {
  const from = '2026-03-01T10:00:00Z';
  const decoded = read(
    'json-interval',
    text({ id: 'a-1', from, to: '2026-03-01T10:01:00Z', in: 3, out: 1 }),
  );
  expect(decoded).toMatchObject({
    outcome: 'records',
    records: [
      {
        device: { from: Date.parse(from) },
        dedupe_key: '"a-1"',
        measures: [{ value: 3 }, { value: 1 }],
      },
    ],
  });
});

test('a crossing counts one person in the direction it names', () => {
  const crossing = { id: 7, time: '2026-03-01T10:00:07Z', direction: 'out' };
  expect(measured('json-crossing', text(crossing))).toEqual({ out: 1 });
});

test('a heartbeat is understood and carries no people', () => {
  expect(measured('json-interval', text({ heartbeat: true }))).toBe('ignored');
});

test.each([
  ['text that is no JSON', '{"id": "a", "in": 3', 'malformed'],
  ['bytes that are no UTF-8', Uint8Array.of(0xff, 0xfe), 'malformed'],
  ['a count that is missing', { id: 'a', in: 3 }, 'value_missing'],
  ['a negative count', { id: 'a', in: -3, out: 0 }, 'value_invalid'],
  ['half a person', { id: 'a', in: 0.5, out: 0 }, 'value_invalid'],
  ['a count that is text', { id: 'a', in: 'many', out: 0 }, 'value_invalid'],
  ['a message without the key that tells repeats', { in: 1, out: 0 }, 'value_missing'],
  ['JSON that is no object', '[]', 'value_missing'],
  ['more people than a stadium holds', { id: 'a', in: 1e20, out: 0 }, 'value_invalid'],
  [
    'a key that is a nest',
    `{"id": ${'['.repeat(20_000)}${']'.repeat(20_000)}, "in": 1, "out": 0}`,
    'value_missing',
  ],
])('%s is a fault with a reason', (_what, sent, reason) => {
  expect(measured('json-interval', sent instanceof Uint8Array ? sent : text(sent))).toBe(reason);
});

test('a region that only pretends to be text is no region', () => {
  const decoded = read('json-zone', text('{"region": {"toString": 1}, "occupancy": 1}'));
  expect(decoded).toMatchObject({ records: [{ region_id: 'zone' }] });
});

test('a number sent as text is still a number', () => {
  expect(measured('json-total', text({ in: '15210', out: '15187' }))).toEqual({
    in: 15_210,
    out: 15_187,
  });
});

test('16-bit registers are read high byte first', () => {
  expect(measured('modbus-counter-16', hex('0028005a'))).toEqual({ in: 40, out: 90 });
});

test('32-bit counters are read high word first: 70,000 is not 292,552,705', () => {
  expect(measured('modbus-counter-32', hex('0001117000000007'))).toEqual({ in: 70_000, out: 7 });
});

test('a short register answer is truncated, not zero', () => {
  expect(measured('modbus-counter-16', hex('0028'))).toBe('truncated');
});

test('an HPC168 answer names its unit and both totals', () => {
  const frame = hex('00019310' + '0000000a' + '0000000f' + '0000000000000000');
  expect(measured('hpc168', frame)).toEqual({ in: 10, out: 15 });
  expect(read('hpc168', frame)).toMatchObject({ unit: 1 });
});

test('another command’s answer on the same line is not a count', () => {
  const frame = hex('00019410' + '0000000a' + '0000000f' + '0000000000000000');
  expect(measured('hpc168', frame)).toBe('not_this_device');
});

test('a path into the prototype finds nothing', () => {
  const profile = profileSchema.parse({
    name: 'probe',
    title: 'probe',
    transport: 'mqtt',
    codec: { kind: 'json' },
    mapping: {
      measures: [
        { target: 'in', path: '__proto__.length', semantics: 'cumulative', width: 'unbounded' },
      ],
    },
  });
  expect(decode(profile, text('[]'))).toMatchObject({ outcome: 'fault', reason: 'value_missing' });
});

const valid = {
  name: 'probe',
  title: 'probe',
  transport: 'mqtt',
  codec: { kind: 'json' },
};

test.each([
  [
    'a delta without a dedupe key',
    [{ target: 'in', path: 'in', semantics: 'delta' }],
    'delivered twice',
  ],
  [
    'a total without its width',
    [{ target: 'in', path: 'in', semantics: 'cumulative' }],
    'how many bits',
  ],
  [
    'two meanings of one direction',
    [
      { target: 'in', path: 'total', semantics: 'cumulative', width: 32 },
      { target: 'in', path: 'period', semantics: 'instant' },
    ],
    'second meaning',
  ],
])('a profile cannot be written with %s', (_what, measures, message) => {
  const checked = profileSchema.safeParse({ ...valid, mapping: { measures } });
  expect(JSON.stringify(checked.error?.issues)).toContain(message);
});
