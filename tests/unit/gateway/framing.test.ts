import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Framer } from '../../../gateway/sources/framer.ts';
import { framingSchema } from '../../../gateway/sources/framing.ts';
import {
  bareFixed,
  damaged,
  distance,
  good,
  goodDecoded,
  hpc168,
  lengthField,
  lines,
  pushAll,
  summedLines,
  told,
} from '../../support/framings.ts';

describe('recorded streams', () => {
  const cases = path.join(import.meta.dirname, '../../../../tests/cases');
  const files = ['hpc168', 'trycom-trp-c28'].flatMap((device) =>
    readdirSync(path.join(cases, device))
      .filter((file) => !file.startsWith('frame-'))
      .map((file) => path.join(device, file)),
  );
  test.each(files)('%s is cut as its case says', (file) => {
    const given = JSON.parse(readFileSync(path.join(cases, file), 'utf8'));
    const found = pushAll(
      framingSchema.parse(given.framing),
      given.stream.map((chunk: string) => Buffer.from(chunk, 'hex')),
    );
    const faults = (given.faults ?? []) as { reason: string }[];
    expect(told(found)).toEqual([...given.frames, ...faults.map((fault) => fault.reason)]);
  });
});

describe('STX and ETX around ASCII hex with a sum', () => {
  test('a whole frame comes out decoded, without markers and checksum', () => {
    expect(told(pushAll(hpc168, [good]))).toEqual([goodDecoded]);
  });

  test('a frame split after every byte comes out once', () => {
    const bytes = Array.from(good, (byte) => Buffer.of(byte));
    expect(told(pushAll(hpc168, bytes))).toEqual([goodDecoded]);
  });

  test('two frames in one chunk are two frames', () => {
    expect(told(pushAll(hpc168, [Buffer.concat([good, good])]))).toEqual([
      goodDecoded,
      goodDecoded,
    ]);
  });

  test('line noise before a frame is dropped without a word', () => {
    expect(told(pushAll(hpc168, [Buffer.from('ff00fe', 'hex'), good]))).toEqual([goodDecoded]);
  });

  test('a bad checksum is a fault that names expected and seen, with the bytes as they came', () => {
    expect(pushAll(hpc168, [damaged])).toEqual([
      {
        kind: 'fault',
        reason: 'checksum',
        detail: 'sum8 expected cd, seen bd',
        bytes: new Uint8Array(damaged),
      },
    ]);
  });

  test('the frame after a damaged one is found', () => {
    expect(told(pushAll(hpc168, [damaged, good]))).toEqual(['checksum', goodDecoded]);
  });

  test('two damaged frames are two faults', () => {
    expect(told(pushAll(hpc168, [damaged, damaged]))).toEqual(['checksum', 'checksum']);
  });

  test('a frame behind one that broke off is found, and the broken one is one fault', () => {
    expect(told(pushAll(hpc168, [good.subarray(0, 20), good]))).toEqual(['truncated', goodDecoded]);
  });

  test('a start marker in the noise does not swallow the frame behind it', () => {
    expect(told(pushAll(hpc168, [Buffer.from('0277', 'hex'), good]))).toEqual([
      'truncated',
      goodDecoded,
    ]);
  });

  test('an odd number of digits is a fault', () => {
    expect(told(pushAll(hpc168, [Buffer.from('\x02000\x03')]))).toEqual(['truncated']);
  });

  test('a start without an end is given up at bytes_max and reported once', () => {
    const endless = Buffer.alloc(127, 0x30);
    const found = pushAll(hpc168, [Buffer.of(2), endless, endless, good]);
    expect(told(found)).toEqual(['too_large', goodDecoded]);
  });

  test('a stream of nothing but start markers reports each byte once, not once per byte', () => {
    const found = pushAll(hpc168, [Buffer.alloc(1280, 2)]);
    expect(found.length).toBeLessThanOrEqual(10);
  });

  test('a quiet line ends a frame that broke off', () => {
    const framer = new Framer(hpc168);
    framer.push(good.subarray(0, 20));
    expect(told(framer.quiet())).toEqual(['truncated']);
    expect(told(framer.push(good))).toEqual([goodDecoded]);
  });

  test('a quiet line says nothing when nothing is pending', () => {
    const framer = new Framer(hpc168);
    framer.push(good);
    expect(framer.quiet()).toEqual([]);
  });
});

describe('lines', () => {
  test('each line comes out without its end, empty ones not at all', () => {
    expect(told(pushAll(lines, [Buffer.from('in 1\r\n\r\nout 2\r\n')]))).toEqual([
      Buffer.from('in 1').toString('hex'),
      Buffer.from('out 2').toString('hex'),
    ]);
  });

  test('a line that is too long is reported once and skipped up to its end', () => {
    const found = pushAll(lines, [Buffer.from(`${'x'.repeat(500)}\r\nin 1\r\n`)]);
    expect(told(found)).toEqual(['too_large', Buffer.from('in 1').toString('hex')]);
  });

  test('the end of a line that is too long is seen even where the limit cuts it in two', () => {
    for (let length = 70; length < 90; length += 1) {
      const found = pushAll(lines, [Buffer.from(`${'x'.repeat(length)}\r\nin 1\r\n`)]);
      expect(told(found).at(-1)).toBe(Buffer.from('in 1').toString('hex'));
      expect(found).toHaveLength(2);
    }
  });

  test('no tail of a damaged line is taken for a line, though one in 256 would have a good sum', () => {
    const line = Buffer.concat([Buffer.alloc(60, 0), Buffer.of(1, 0), Buffer.from('\r\n')]);
    expect(told(pushAll(summedLines, [line]))).toEqual(['checksum']);
  });
});

describe('length field', () => {
  const frame = Buffer.from('eb9003010203', 'hex');
  const whole = Buffer.concat([frame, Buffer.of(frame.reduce((sum, byte) => sum ^ byte, 0))]);

  test('a frame is as long as it says', () => {
    expect(told(pushAll(lengthField, [whole, whole]))).toEqual(['03010203', '03010203']);
  });

  test('a length beyond bytes_max is a fault at once and holds nothing back', () => {
    expect(told(pushAll(lengthField, [Buffer.from('eb90ff', 'hex'), whole]))).toEqual([
      'too_large',
      '03010203',
    ]);
  });

  test('a false start that announces more than comes gives way when the line is quiet', () => {
    const framer = new Framer(lengthField);
    expect(framer.push(Buffer.concat([Buffer.from('eb9040', 'hex'), whole]))).toEqual([]);
    expect(told(framer.quiet())).toEqual(['truncated', '03010203']);
  });

  test('a length shorter than the header is a fault', () => {
    const backwards = framingSchema.parse({
      kind: 'length_field',
      start: 'eb',
      length: { at: 1, size: 2, endian: 'little', adds: 0 },
    });
    expect(told(pushAll(backwards, [Buffer.from('eb0100', 'hex')]))).toEqual(['truncated']);
  });
});

describe('fixed length', () => {
  test('a frame whose data contain the start marker is not cut there', () => {
    const frame = Buffer.from('444444441000', 'hex');
    for (let crc = 0; crc < 256; crc += 1) {
      frame[5] = crc;
      const found = pushAll(distance, [frame]);
      if (found.some((one) => one.kind === 'frame')) return expect(told(found)).toEqual(['444410']);
    }
    return expect.unreachable('one of 256 checksums is right');
  });

  test('without a start marker the checksum finds the beginning', () => {
    const body = Buffer.from('01040800', 'hex');
    const crc = Buffer.from(crc16(body), 'hex');
    const found = pushAll(bareFixed, [Buffer.of(0xff, 0xff), body, crc]);
    expect(told(found)).toEqual(['checksum', '01040800']);
  });
});

describe('bad settings', () => {
  test.each([
    ['a fixed length with nothing to find it by', { kind: 'fixed', bytes: 6 }],
    ['a frame no longer than its start', { kind: 'fixed', start: '0203', bytes: 2 }],
    ['half a byte', { kind: 'delimited', end: '0' }],
    ['no end', { kind: 'delimited', start: '02' }],
    ['a misspelt option', { kind: 'delimited', end: '03', stat: '02' }],
  ])('%s is refused', (_, framing) => {
    expect(framingSchema.safeParse(framing).success).toBe(false);
  });
});

/** By the table-free definition, apart from the product's. */
function crc16(bytes: Uint8Array): string {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      const carry = crc & 1;
      crc >>= 1;
      if (carry === 1) crc ^= 0xa001;
    }
  }
  return Buffer.of(crc & 0xff, crc >> 8).toString('hex');
}
