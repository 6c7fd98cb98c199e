/** Framings as profiles have them, frames of the HPC168, and what a framer makes of bytes. */
import { type Framed, Framer } from '../../gateway/sources/framer.ts';
import { type Framing, framingSchema } from '../../gateway/sources/framing.ts';

export const hpc168 = framingSchema.parse({
  kind: 'delimited',
  start: '02',
  end: '03',
  encoding: 'ascii-hex',
  checksum: { kind: 'sum8' },
  bytes_max: 128,
});
export const lines = framingSchema.parse({ kind: 'delimited', end: '0d0a', bytes_max: 80 });
export const summedLines = framingSchema.parse({ ...lines, checksum: { kind: 'sum8' } });
export const lengthField = framingSchema.parse({
  kind: 'length_field',
  start: 'eb90',
  length: { at: 2, size: 1, adds: 4 },
  checksum: { kind: 'xor8', over: 'start_and_body' },
  bytes_max: 80,
});
export const distance = framingSchema.parse({
  kind: 'fixed',
  start: '4444',
  bytes: 6,
  checksum: { kind: 'crc8', over: 'start_and_body' },
});
export const bareFixed = framingSchema.parse({
  kind: 'fixed',
  bytes: 6,
  checksum: { kind: 'crc16-modbus' },
});

/** One HPC168 answer for unit 0001; bytes as on the line. */
export function hpcAnswer(people: { in: number; out: number }): Buffer {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const body = Buffer.from(`00019310${hex(people.in)}${hex(people.out)}${'0'.repeat(16)}`, 'hex');
  const sum = body.reduce((total, byte) => total + byte, 0) & 0xff;
  const text = Buffer.concat([body, Buffer.of(sum)])
    .toString('hex')
    .toUpperCase();
  return Buffer.from(`\x02${text}\x03`, 'latin1');
}

export const good = hpcAnswer({ in: 10, out: 15 });
export const goodDecoded = '000193100000000a0000000f0000000000000000';
export const damaged = Buffer.from(good);
damaged[17] = 0x31;

export function pushAll(framing: Framing, chunks: readonly Uint8Array[]): Framed[] {
  const framer = new Framer(framing);
  return chunks.flatMap((chunk) => framer.push(chunk));
}

/** Frames as hex, faults as their reason, in order. */
export function told(found: readonly Framed[]): string[] {
  return found.map((one) =>
    one.kind === 'frame' ? Buffer.from(one.bytes).toString('hex') : one.reason,
  );
}
