import { describe, expect, test } from 'vitest';
import { checksumOf } from '../../../gateway/sources/checksum.ts';
import { rtuAnswerIn, rtuRequest } from '../../../gateway/sources/modbus-rtu-frame.ts';

/** The example of the Trycom TRP-C28 manual: four 16-bit counters of unit 1. */
const question = { unit: 1, function: 4, start: 0, count: 4 } as const;
const request = '010400000004f1c9';

function framed(hex: string): Buffer {
  const body = Buffer.from(hex, 'hex');
  return Buffer.concat([body, checksumOf('crc16-modbus', body)]);
}

const answer = framed('010408000a000b000c000d');
const told = (...bytes: Uint8Array[]) => {
  const found = rtuAnswerIn(question, Buffer.concat(bytes));
  if (found === null) return null;
  return found.kind === 'exception'
    ? `exception ${found.exception}`
    : Buffer.from(found.bytes).toString('hex');
};
const values = '000a000b000c000d';

test('a request is the bytes of the specification', () => {
  expect(Buffer.from(rtuRequest(question)).toString('hex')).toBe(request);
});

describe('is the answer', () => {
  test.each([
    ['alone', [answer]],
    ['behind the echo of the request', [Buffer.from(request, 'hex'), answer]],
    ['behind noise', [Buffer.from('00ff00', 'hex'), answer]],
    ['behind the late answer of another unit', [framed('020402ffff'), answer]],
    ['before the late answer of another unit', [answer, framed('020402ffff')]],
    ['twice', [answer, answer]],
    ['behind a piece of itself', [answer.subarray(0, 7), answer]],
  ])('%s', (_what, bytes) => {
    expect(told(...bytes)).toBe(values);
  });

  test('an exception, which names only the unit and the function', () => {
    expect(told(framed('018402'))).toBe('exception 2');
  });

  test('only what is alone, or behind the echo, says so', () => {
    const isAlone = (...bytes: Uint8Array[]) =>
      rtuAnswerIn(question, Buffer.concat(bytes))?.isAlone;
    expect(isAlone(answer)).toBe(true);
    expect(isAlone(Buffer.from(request, 'hex'), answer)).toBe(true);
    expect(isAlone(Buffer.of(0), answer)).toBe(false);
  });
});

describe('is no answer', () => {
  test.each([
    ['nothing', []],
    ['another unit', [framed('020408000a000b000c000d')]],
    ['another function', [framed('010308000a000b000c000d')]],
    ['another length', [framed('010406000a000b000c')]],
    ['a piece', [answer.subarray(0, -1)]],
    ['a wrong CRC', [answer.subarray(0, -1), Buffer.of(0)]],
    ['the exception of another unit', [framed('028402')]],
  ])('%s', (_what, bytes) => {
    expect(told(...bytes)).toBeNull();
  });

  test('a flipped bit anywhere', () => {
    for (let bit = 0; bit < answer.length * 8; bit += 1) {
      const damaged = Buffer.from(answer);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(told(damaged)).toBeNull();
    }
  });

  /** One splice in 65,536 passes the CRC; here is one that does. */
  test('the head of one frame with the whole of another behind it, even if the CRC agrees', () => {
    const tail = framed('028402');
    const spliced = Array.from({ length: 0x1_0000 }, (_, i) => {
      const head = Buffer.from([1, 4, 8, i >> 8, i, 0x55, 0xaa, 0]);
      return Buffer.concat([head, tail]);
    }).filter((bytes) => {
      const body = bytes.subarray(0, -2);
      return bytes.subarray(-2).equals(Buffer.from(checksumOf('crc16-modbus', body)));
    });
    expect(spliced.length).toBeGreaterThan(0);
    for (const bytes of spliced) expect(told(bytes)).toBeNull();
  });
});
