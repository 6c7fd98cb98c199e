/**
 * A profile says, as data, how the frames of one device type become measures: which link it
 * speaks, which codec reads its bytes, and what every number means. A new device needs a profile,
 * not code.
 */
import { z } from 'zod';
import { framingSchema } from '../sources/framing.ts';
import { codecSchema } from './codec-schema.ts';
import { checkMapping, mappingSchema } from './mapping-schema.ts';
import { presenceSchema } from './presence.ts';

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
    name: z
      .string()
      .max(100)
      .regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'use lower-case words with "-"' }),
    title: z.string().min(1),
    transport: z.enum(['mqtt', 'http', 'serial', 'modbus']),
    /** How long this device may be quiet before it counts as silent. */
    silent_after_s: z.number().int().min(1).max(604_800).default(900),
    serial: serialLink.optional(),
    modbus: modbusLink.optional(),
    /** Where the device, or its last will, says whether it is there. */
    presence: presenceSchema.optional(),
    /** The network server whose envelope the message comes in; its repeats are recognised by it. */
    unwrap: z.enum(['lorawan']).optional(),
    /** LoRaWAN ports that carry measurements; other ports answer commands. */
    ports: z.array(z.number().int().min(0).max(255)).min(1).optional(),
    /**
     * One frame holds several messages, of one device or of many: `[]` where it is an array of them,
     * `devices[]` where they stand in one. A single one in the array's place is read as well.
     */
    messages: z
      .string()
      .regex(/\[\]$/, { error: 'must end in [], for example "[]" or "devices[]"' })
      .optional(),
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
    checkMapping(profile.mapping, profile.unwrap !== undefined, (path, message) =>
      say(['mapping', ...path], message),
    );
  });

export type Profile = z.infer<typeof profileSchema>;
