/** How the bytes of a serial line are cut into frames, as data that a profile carries. */
import { z } from 'zod';
import { checksumKinds } from './checksum.ts';

const marker = z
  .string()
  .regex(/^([0-9a-f]{2}){1,8}$/i, { error: 'write 1 to 8 bytes in hex, for example "02"' });

/** At least a whole header and its markers, at most what a search byte by byte can afford. */
const bytesMax = z.number().int().min(80).max(4096).default(1024);

const checksumSchema = z.strictObject({
  /**
   * Always the last thing before `end`, encoded like the body. crc8 is polynomial 0x07, start 0;
   * crc16-modbus stands low byte first.
   */
  kind: z.enum(checksumKinds),
  /** What it covers: the body alone, or the start marker too. */
  over: z.enum(['body', 'start_and_body']).default('body'),
});

/** How a stream is cut into frames. `bytes_max` counts everything from start to end marker. */
export const framingSchema = z.discriminatedUnion('kind', [
  /** Ends with a marker that cannot occur inside: text lines, or STX … ETX. */
  z.strictObject({
    kind: z.literal('delimited'),
    start: marker.optional(),
    end: marker,
    /** ascii-hex: two hex digits a byte between the markers; frames come out decoded. */
    encoding: z.enum(['raw', 'ascii-hex']).default('raw'),
    checksum: checksumSchema.optional(),
    bytes_max: bytesMax,
  }),
  /** Says its own length. */
  z.strictObject({
    kind: z.literal('length_field'),
    start: marker,
    length: z.strictObject({
      /** Offset of the field from the first byte of the start marker. */
      at: z.number().int().min(1).max(64),
      size: z.union([z.literal(1), z.literal(2)]),
      endian: z.enum(['big', 'little']).default('big'),
      /** Length of the whole frame minus the field's value. */
      adds: z.number().int().min(-64).max(64),
    }),
    checksum: checksumSchema.optional(),
    bytes_max: bytesMax,
  }),
  /** Always of the same length. Without a start marker only the checksum can find the beginning. */
  z
    .strictObject({
      kind: z.literal('fixed'),
      start: marker.optional(),
      bytes: z.number().int().min(1).max(1024),
      checksum: checksumSchema.optional(),
    })
    .refine((framing) => framing.start !== undefined || framing.checksum !== undefined, {
      error: 'frames of fixed length need a start marker or a checksum to be found in a stream',
    })
    .refine((framing) => framing.bytes > (framing.start?.length ?? 0) / 2, {
      error: 'a frame must be longer than its start marker',
    }),
]);

export type Framing = z.infer<typeof framingSchema>;
