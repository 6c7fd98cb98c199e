import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressRange } from '../../../gateway/pairing/address-range.ts';

test.each([
  ['10.0.0.7', 1, '10.0.0.7', '10.0.0.7'],
  ['10.0.0.0/24', 254, '10.0.0.1', '10.0.0.254'],
  ['192.168.1.77/30', 2, '192.168.1.77', '192.168.1.78'],
  ['172.16.0.4/31', 2, '172.16.0.4', '172.16.0.5'],
  ['10.0.0.5-20', 16, '10.0.0.5', '10.0.0.20'],
  ['10.0.0.250-10.0.1.5', 12, '10.0.0.250', '10.0.1.5'],
])('%s are %i addresses from %s to %s, without a doubt', (text, count, first, last) => {
  const { addresses, doubt } = addressRange(text);
  expect([addresses.length, addresses.at(0), addresses.at(-1)]).toEqual([count, first, last]);
  expect(doubt).toBeNull();
});

test.each([
  ['8.8.8.0/24', /public/],
  ['172.32.0.1', /public/],
  ['11.255.255.250-12.0.0.1', /public/],
  ['10.0.0.0/22', /1022 addresses/],
])('%s is asked only when the person insists', (text, doubt) => {
  expect(addressRange(text).doubt).toMatch(doubt);
});

test.each([
  '10.0.0.0/8',
  '0.0.0.0/0',
  '10.0.0.9-3',
  '10.0.0/24',
  '10.0.0.256',
  '10.0.0.1/33',
  'a',
  '',
])('"%s" is refused', (text) => {
  expect(() => addressRange(text)).toThrow(/not understood/);
});

test('a range has every address between its ends once, in order', () => {
  const end = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(end, end, (one, other) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const { addresses } = addressRange(`192.168.9.${from}-${to}`);
      const wanted = Array.from({ length: to - from + 1 }, (_, i) => `192.168.9.${from + i}`);
      expect(addresses).toEqual(wanted);
    }),
  );
});
