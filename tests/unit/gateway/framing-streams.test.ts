import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Framing } from '../../../gateway/sources/framing.ts';
import {
  bareFixed,
  damaged,
  distance,
  good,
  hpc168,
  hpcAnswer,
  lengthField,
  lines,
  pushAll,
  summedLines,
} from '../../support/framings.ts';

const framings: Record<string, Framing> = {
  hpc168,
  lines,
  summedLines,
  lengthField,
  distance,
  bareFixed,
};
/** Bytes that mean something to the framings above, so that random streams reach every branch. */
const piece = fc.oneof(
  fc.constantFrom(good, damaged, hpcAnswer({ in: 65_546, out: 0 })),
  fc.constantFrom(...['02', '03', '0d', '0d0a', 'eb90', '4444', 'eb9003', '4444444410'].map(hex)),
  fc.uint8Array({ maxLength: 150 }).map((bytes) => Buffer.from(bytes)),
);

describe('any stream', () => {
  test.each(Object.keys(framings))('%s: gives the same however it is split', (name) => {
    const framing = framings[name] as Framing;
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
        (pieces, sizes) => {
          const stream = Buffer.concat(pieces);
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < stream.length; i += 1) {
            const size = sizes[i % sizes.length] as number;
            chunks.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(pushAll(framing, chunks)).toEqual(pushAll(framing, [stream]));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('every good frame comes out, whatever noise without a start marker stands between', () => {
    const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => bytes.filter((b) => b !== 2));
    const people = fc.record({ in: fc.nat(), out: fc.nat() });
    fc.assert(
      fc.property(fc.array(fc.tuple(noise, people), { maxLength: 20 }), (parts) => {
        const stream = parts.flatMap(([before, count]) => [before, hpcAnswer(count)]);
        const counts = pushAll(hpc168, stream).map((one) => {
          const bytes = Buffer.from(one.bytes);
          return { in: bytes.readUInt32BE(4), out: bytes.readUInt32BE(8) };
        });
        expect(counts).toEqual(parts.map(([, count]) => count));
      }),
    );
  });
});

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
