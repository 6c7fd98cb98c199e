/**
 * A profile says, as data, how the frames of one device type become measures: which link it
 * speaks, which codec reads its bytes, and what every number means. A new device needs a profile,
 * not code.
 */
import { z } from 'zod';
import { framingSchema } from '../sources/framing.ts';

/** Dot-separated path into the decoded value, for example `line.total.in`; `$` is the value itself. */
const path = z.string().min(1).max(200);
const seconds = z.number().positive().max(86_400);

const integerFieldTypes = ['u8', 'u16', 'i16', 'u32', 'i32'] as const;

const binaryCodec = z.strictObject({
  kind: z.literal('binary'),
  /** Exact length of the frame's bytes; other lengths are quarantined as truncated. */
  length: z.number().int().min(1).max(4096),
  fields: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        /** Byte offset from the start of the frame. */
        at: z.number().int().min(0).max(4095),
        type: z.enum(integerFieldTypes),
        order: z.enum(['big', 'little']).default('big'),
        /** The frame is of this device only if the field holds this value. */
        equals: z.number().int().optional(),
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

const codecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('json') }),
  binaryCodec,
  registersCodec,
]);

const condition = z.strictObject({
  path,
  equals: z.union([z.string(), z.number(), z.boolean()]).optional(),
  exists: z.boolean().optional(),
});

/**
 * - `delta`: counted in this interval. - `cumulative`: total since a reset. - `event`: one crossing.
 * - `instant`: the state now.
 */
const semantics = z.enum(['delta', 'cumulative', 'event', 'instant']);
export type Semantics = z.infer<typeof semantics>;

const measureMapping = z.strictObject({
  target: z.enum(['in', 'out', 'occupancy', 'dwell_s']),
  semantics,
  /** Where the number stands; left out for an event that is one person. */
  path: path.optional(),
  /** The measure is present only where this holds, for example `direction` equals `in`. */
  where: condition.optional(),
  unit: z.enum(['count', 's', 'ms']).default('count'),
  /** Bits after which a cumulative value starts again at 0. */
  width: z.union([z.literal([8, 16, 23, 24, 32]), z.literal('unbounded')]).optional(),
  /** Whether the device can lose its total (power, schedule, command). */
  resets: z.boolean().default(true),
});

const mappingSchema = z.strictObject({
  measures: z.array(measureMapping).min(1),
  /** Frames that say nothing about people: heartbeats, answers to commands. */
  ignore: z.array(condition).default([]),
  /** The zone that zone measures speak of; constant, or a path with `$.` in front. */
  region: z.string().default('zone'),
  time: z
    .strictObject({
      /** Instant of an event, or end of a cumulative sample. */
      at: path.optional(),
      from: path.optional(),
      to: path.optional(),
      /** Length of a delta interval whose device names only one end, or none. */
      interval_s: seconds.optional(),
      format: z.enum(['iso8601', 'unix_s', 'unix_ms']).default('iso8601'),
    })
    .default({ format: 'iso8601' }),
  /** Values that together name one message; a second delivery with the same key is no traffic. */
  dedupe: z.array(path).default([]),
  /** Unit number inside the frame, for lines where several devices answer. */
  unit_path: path.optional(),
  /** Faster than this a door cannot be walked through; a jump above it must be confirmed. */
  people_per_minute_max: z.number().positive().default(300),
});

const serialLink = z.strictObject({
  baud: z.number().int().min(300).max(1_000_000),
  data_bits: z.literal([7, 8]).default(8),
  parity: z.enum(['none', 'even', 'odd']).default('none'),
  stop_bits: z.literal([1, 2]).default(1),
  framing: framingSchema,
  /** Left out where the devices speak by themselves. */
  poll: z
    .strictObject({
      /**
       * What is asked, as it reads between the frame's start and its checksum; `{unit}` stands for
       * the unit number in upper-case hex.
       */
      request: z
        .string()
        .regex(/^[ -~]+$/, { error: 'use printable ASCII, for example "{unit}1300"' }),
      /**
       * What the answer begins with, in the same notation. Where the protocol names the unit, a late
       * answer of another unit is then known by its content and cannot be taken for this one's.
       */
      answer_begins: z
        .string()
        .regex(/^[ -~]+$/)
        .optional(),
      unit_digits: z.number().int().min(1).max(8).default(4),
      every_ms: z.number().int().min(50).max(3_600_000).default(1000),
      timeout_ms: z.number().int().min(20).max(10_000).default(300),
    })
    .optional(),
  turnaround_ms: z.number().int().min(0).max(1000).default(10),
});

const modbusLink = z.strictObject({
  function: z.literal([3, 4]),
  /** First register of the device's block when pairing names none; zero-based. */
  register: z.number().int().min(0).max(65_535).default(0),
  count: z.number().int().min(1).max(125),
  every_ms: z.number().int().min(50).max(3_600_000).default(1000),
  timeout_ms: z.number().int().min(20).max(10_000).default(1000),
});

export const profileSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'use lower-case words with "-"' }),
    title: z.string().min(1),
    transport: z.enum(['mqtt', 'http', 'serial', 'modbus']),
    /** How long this device may be quiet before it counts as silent. */
    silent_after_s: z.number().int().min(1).max(604_800).default(900),
    serial: serialLink.optional(),
    modbus: modbusLink.optional(),
    codec: codecSchema,
    mapping: mappingSchema,
  })
  .superRefine((profile, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (profile.transport === 'serial' && profile.serial === undefined) {
      say(['serial'], 'is needed for transport serial');
    }
    if (profile.transport === 'modbus' && profile.modbus === undefined) {
      say(['modbus'], 'is needed for transport modbus');
    }
    profile.mapping.measures.forEach((measure, i) => {
      const at = ['mapping', 'measures', i];
      if (measure.semantics === 'cumulative' && measure.width === undefined) {
        say([...at, 'width'], 'is needed: say after how many bits the total starts again');
      }
      if (measure.semantics !== 'event' && measure.path === undefined) {
        say([...at, 'path'], 'is needed: only an event counts one person by itself');
      }
      const additive = measure.semantics === 'delta' || measure.semantics === 'event';
      if (additive && profile.mapping.dedupe.length === 0) {
        say(['mapping', 'dedupe'], `is needed: a ${measure.semantics} delivered twice adds people`);
      }
      const twin = profile.mapping.measures.findIndex(
        (other) => other.target === measure.target && other.semantics !== measure.semantics,
      );
      if (twin >= 0) {
        say(at, `gives "${measure.target}" a second meaning; one measure must be the primary one`);
      }
    });
  });

export type Profile = z.infer<typeof profileSchema>;
export type MeasureMapping = Profile['mapping']['measures'][number];
export type Codec = Profile['codec'];
export type Condition = z.infer<typeof condition>;
