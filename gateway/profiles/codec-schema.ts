/** How a profile describes the way from bytes to a JSON value. */
import { z } from 'zod';

const field_types = ['u8', 'i8', 'u16', 'i16', 'u24', 'u32', 'i32', 'bcd', 'hex', 'ascii'] as const;

/** One value in a fixed layout. */
const binaryField = z.strictObject({
  name: z.string().min(1),
  /** Byte offset from the start of the frame or of the entry. */
  at: z.number().int().min(0).max(4095),
  type: z.enum(field_types),
  order: z.enum(['big', 'little']).optional(),
  /** Bytes taken by `bcd`, `hex` and `ascii`. */
  bytes: z.number().int().min(1).max(255).default(1),
  /** Only these bits of the number, counted from the lowest. */
  bits: z
    .strictObject({
      from: z.number().int().min(0).max(31),
      count: z.number().int().min(1).max(32).default(1),
    })
    .optional(),
  /** The frame is of this device only if the field holds this value. */
  equals: z.number().int().optional(),
  /** This value means "not set": the field is then missing, not a number. */
  null_when: z.number().int().optional(),
});

const length = z.number().int().min(1).max(4096);

const binaryCodec = z.strictObject({
  kind: z.literal('binary'),
  /** Exact length of the frame's bytes, or several; others are quarantined as truncated. */
  length: z.union([length, z.array(length).min(1)]),
  order: z.enum(['big', 'little']).default('big'),
  /** A field beyond the end of a shorter frame is missing. */
  fields: z.array(binaryField).min(1),
});

/** Entries of key and value without a length: an unknown key ends the frame. */
const tlvCodec = z.strictObject({
  kind: z.literal('tlv'),
  key_bytes: z.number().int().min(1).max(4).default(2),
  order: z.enum(['big', 'little']).default('little'),
  entries: z
    .array(
      z.strictObject({
        /** Key in hex, as it stands on the wire. */
        key: z.string().regex(/^([0-9a-f]{2})+$/, { error: 'use lower-case hex digits' }),
        /** Only where this byte of the value is this: one key, several layouts. */
        when: z
          .strictObject({ at: z.number().int().min(0).max(255), equals: z.number().int() })
          .optional(),
        /** Bytes of the value; all of them are skipped, whatever the fields read. */
        length: z.number().int().min(1).max(255),
        fields: z.array(binaryField).default([]),
        /** Collects the entries into an array of this name, for entries that repeat. */
        into: z.string().min(1).optional(),
      }),
    )
    .min(1),
});

const registersCodec = z.strictObject({
  kind: z.literal('registers'),
  fields: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        /** Register offset from the first one read. */
        at: z.number().int().min(0).max(124),
        type: z.enum(['u16', 'u32']),
        /**
         * Which half of a 32-bit value comes first. Modules differ: ADAM-6051 and M-7088 send the
         * low word first, Moxa E1210 the high one; 70,000 read the wrong way is 292,552,705.
         */
        word_order: z.enum(['high_first', 'low_first']).default('high_first'),
      }),
    )
    .min(1),
});

const csvCodec = z.strictObject({
  kind: z.literal('csv'),
  separator: z.string().length(1).default(','),
  /** Names of the columns; left out where the first line has them. */
  columns: z.array(z.string().min(1)).min(1).optional(),
});

const scriptCodec = z.strictObject({
  kind: z.literal('script'),
  /** A payload codec as vendors publish it (LoRa Alliance TS013), beside the profile. */
  file: z.string().regex(/^[\w.-]+\.js$/, { error: 'name a .js file in the profile’s folder' }),
  /** The file's text; the catalogue reads it. */
  source: z.string().default(''),
});

export const codecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('json') }),
  z.strictObject({ kind: z.literal('xml') }),
  csvCodec,
  binaryCodec,
  tlvCodec,
  registersCodec,
  z.strictObject({ kind: z.literal('sparkplug') }),
  scriptCodec,
]);

export type Codec = z.infer<typeof codecSchema>;
export type BinaryField = z.infer<typeof binaryField>;
