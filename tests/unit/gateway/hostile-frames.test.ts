/** Frames that somebody made to harm: they cost little, harm nobody, and stand in quarantine. */
import { expect, test } from 'vitest';
import { decode } from '../../../gateway/profiles/decode.ts';
import { eachDevice } from '../../../gateway/profiles/measure.ts';
import { profileSchema } from '../../../gateway/profiles/profile.ts';

const of = (over: object) =>
  profileSchema.parse({
    name: 'hostile',
    title: 'A counter that somebody else speaks for',
    transport: 'mqtt',
    codec: { kind: 'json' },
    mapping: { measures: [{ target: 'in', path: 'in', semantics: 'cumulative', width: 32 }] },
    ...over,
  });
const plain = of({});
const lines = of({
  mapping: {
    records: [
      {
        each: 'lines[]',
        element: '{no}',
        measures: [{ target: 'in', path: 'in', semantics: 'cumulative', width: 32 }],
      },
    ],
  },
});
const many = of({ messages: '[]' });
const wrapped = of({ unwrap: 'lorawan' });
const xml = of({ codec: { kind: 'xml' } });
const csv = of({ codec: { kind: 'csv' } });
const metrics = of({ codec: { kind: 'sparkplug' } });

const frame_bytes = 256 * 1024;
const filled = (text: string) => text.repeat(Math.floor(frame_bytes / text.length));

test.each([
  ['brackets without an end', plain, filled('[')],
  ['objects in objects', plain, `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`],
  ['an array of nothing', many, `[${filled('0,')}0]`],
  ['envelopes that are none', wrapped, `[${filled('{},')}{}]`],
  ['a prototype', plain, '{"__proto__":{"in":5},"constructor":{"prototype":{"in":5}}}'],
  ['a number of a million digits', plain, `{"in":${'9'.repeat(200_000)}}`],
  ['elements in elements', xml, filled('<a>')],
  ['quotes that never close', xml, `<a ${filled('x="')}`],
  ['attributes without an end', xml, `<a ${filled('a=b ')}`],
  ['spaces in a tag', xml, `<a${filled(' ')}`],
  ['an entity that grows', xml, '<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>'],
  ['ampersands', xml, `<a>${filled('&')}</a>`],
  ['cells without a line', csv, filled(',')],
  ['quotes in quotes', csv, filled('"')],
  ['empty metrics', metrics, Buffer.from(filled('\x12\x00'), 'latin1')],
  ['a length beyond the end', metrics, Buffer.from('12ffffffffffffffff7f', 'hex')],
])('%s', (_what, profile, payload) => {
  const decoded = decode(profile, Buffer.from(payload));
  for (const each of eachDevice(decoded)) expect(each.outcome).not.toBe('records');
});

test('a hundred thousand broken lines beside a good one are a few, with their number', () => {
  const rows = Array.from({ length: 100_000 }, () => ({ no: 'x' }));
  const decoded = decode(
    lines,
    Buffer.from(JSON.stringify({ lines: [{ no: 1, in: 5 }, ...rows] })),
  );
  if (decoded.outcome !== 'records') throw new Error(decoded.outcome);
  expect(decoded.records).toHaveLength(1);
  expect(decoded.refused).toHaveLength(21);
  expect(decoded.refused.at(-1)?.detail).toContain('99980 more');
});

test('nothing of a hostile frame stays behind for the next one', () => {
  decode(plain, Buffer.from('{"__proto__":{"in":5}}'));
  expect(decode(plain, Buffer.from('{"out":1}'))).toMatchObject({ reason: 'value_missing' });
});
