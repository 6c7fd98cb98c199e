/** Protocol Buffers on the wire: whatever stands between the known fields, and wherever it ends. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtobufReader } from '../../../gateway/profiles/codecs/protobuf.ts';

/** The shortest form of an unsigned number, by the definition. */
function varint(value: bigint): number[] {
  const more = value >> 7n;
  const low = Number(value & 0x7fn);
  return more === 0n ? [low] : [low | 0x80, ...varint(more)];
}
const tag = (number: number, kind: number) => varint(BigInt(number) * 8n + BigInt(kind));

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const run = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** Numbers of fields that the readings below do not know. */
const unknown = fc.oneof(fc.integer({ min: 100, max: 2000 }), fc.constant(2 ** 29 - 1));
/** One field of every kind, groups of groups included. */
const { field: stranger } = fc.letrec<{ field: number[] }>((tie) => ({
  field: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(unknown, uint64).map(([n, value]) => [...tag(n, 0), ...varint(value)]),
    fc.tuple(unknown, run(8)).map(([n, bytes]) => [...tag(n, 1), ...bytes]),
    fc
      .tuple(unknown, fc.uint8Array({ maxLength: 200 }))
      .map(([n, bytes]) => [...tag(n, 2), ...varint(BigInt(bytes.length)), ...bytes]),
    fc.tuple(unknown, run(4)).map(([n, bytes]) => [...tag(n, 5), ...bytes]),
    fc
      .tuple(unknown, fc.array(tie('field'), { maxLength: 3 }))
      .map(([n, fields]) => [...tag(n, 3), ...fields.flat(), ...tag(n, 4)]),
  ),
}));
const known = fc.tuple(fc.integer({ min: 1, max: 15 }), uint64);

/** Fields 1 to 15 as numbers; the others skipped. */
function read(bytes: readonly number[]): (readonly [number, bigint])[] {
  const reader = new ProtobufReader(Uint8Array.from(bytes));
  const found: (readonly [number, bigint])[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field <= 15) found.push([field, BigInt(reader.unsigned())]);
    else reader.skip();
  }
  return found;
}

test('known fields are read whatever unknown ones stand between them', () => {
  const parts = fc.array(fc.tuple(fc.array(stranger, { maxLength: 3 }), known), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.array(stranger, { maxLength: 3 }), (fields, rest) => {
      const bytes = fields.flatMap(([before, [number, value]]) => {
        return [...before.flat(), ...tag(number, 0), ...varint(value)];
      });
      expect(read([...bytes, ...rest.flat()])).toEqual(fields.map(([, field]) => field));
    }),
  );
});

test('a message that ends within a field is cut off, and says so', () => {
  fc.assert(
    fc.property(stranger, fc.nat(), (bytes, at) => {
      const cut = bytes.slice(0, 1 + (at % (bytes.length - 1)));
      expect(() => read(cut)).toThrow(/^cut off at byte \d+$/);
    }),
  );
});

test('any bytes are a message, or an error that names the byte', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        expect((error as Error).message).toMatch(/ at byte \d+$/);
      }
    }),
    { numRuns: 2_000 },
  );
});

describe('what is no message is refused', () => {
  test.each([
    ['a field 0, which is no end', [0x08, 1, 0x00, 0x08, 2], 'no field has the number 0'],
    ['a number above the largest', [0x80, 0x80, 0x80, 0x80, 0x10, 1], 'number 536870912'],
    ['a number of eleven bytes', [0x08, ...Array(10).fill(0x80), 0], 'a number without an end'],
    ['a group that another ends', [...tag(100, 3), ...tag(101, 4)], 'no group 101 to end'],
    ['an end without a group', tag(100, 4), 'no field of kind 4'],
    ['a kind that nobody has defined', tag(100, 6), 'no field of kind 6'],
    ['a length beyond the end', [...tag(100, 2), 5, 1, 2], 'cut off'],
    ['a length of 2^64 - 1', [...tag(100, 2), ...varint(2n ** 64n - 1n)], 'cut off'],
    ['a known field of another kind', [...tag(1, 5), 0, 0, 0, 0], 'of another kind'],
  ])('%s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
  });
});

test('of a tenth byte the bits beyond 64 are left out, and small numbers stay numbers', () => {
  const zero = new ProtobufReader(Uint8Array.from([0x08, ...Array(9).fill(0x80), 0x02]));
  expect(zero.field()).toBe(1);
  expect(zero.unsigned()).toBe(0);
});

test('a hundred thousand groups within each other are skipped like one', () => {
  const deep = 100_000;
  const [open, close] = [tag(100, 3), tag(100, 4)];
  const bytes = [...Array(deep).fill(open).flat(), ...Array(deep).fill(close).flat()];
  expect(read([...bytes, 0x08, 7])).toEqual([[1, 7n]]);
});
