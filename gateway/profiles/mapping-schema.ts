/** How a profile describes what the values of a decoded message mean. */
import { z } from 'zod';
import { isZone } from './zone-offset.ts';

/** See path.ts for how paths are written. */
const path = z.string().min(1).max(200);
const seconds = z.number().positive().max(86_400);

const condition = z.strictObject({
  path,
  equals: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
  exists: z.boolean().optional(),
  /** The value is text with, or without, this in it; upper and lower case are one. */
  contains: z.string().min(1).optional(),
  lacks: z.string().min(1).optional(),
});

/** One condition, or several that must all hold. */
const conditions = z.union([condition, z.array(condition).min(1)]);

/**
 * - `delta`: counted in this interval. - `cumulative`: total since a reset. - `event`: one crossing.
 * - `instant`: the state now.
 */
const semantics = z.enum(['delta', 'cumulative', 'event', 'instant']);
export type Semantics = z.infer<typeof semantics>;

const measureMapping = z.strictObject({
  /** `passages`: a beam that cannot tell in from out; pairing says what they are. */
  target: z.enum(['in', 'out', 'passages', 'occupancy', 'dwell_s', 'dwell_max_s']),
  semantics,
  /** Where the number stands; left out for an event that is one person. */
  path: path.optional(),
  /** The measure is present only where this holds, for example `direction` equals `in`. */
  where: conditions.optional(),
  /** A message without the number is in order; without this it is quarantined. */
  optional: z.boolean().default(false),
  /**
   * - `primary`: feeds the count. - `fallback`: feeds it until the sensor first gives a total.
   * - `check`: a second account of the same people, compared and never added.
   */
  role: z.enum(['primary', 'fallback', 'check']).default('primary'),
  unit: z.enum(['count', 's', 'ms']).default('count'),
  /** Words and truth values that stand for a number, for example `{ "true": 1, "false": 0 }`. */
  values: z.record(z.string(), z.number()).optional(),
  /** Bits after which a cumulative value starts again at 0. */
  width: z.union([z.literal([8, 16, 23, 24, 32]), z.literal('unbounded')]).optional(),
  /**
   * Whether the device can lose its total (power, command). `often`: it clears it as a rule, for
   * example at each opening of a door, so that every fall is one and none waits to be confirmed.
   */
  resets: z.union([z.boolean(), z.literal('often')]).default(true),
});

const timeMapping = z.strictObject({
  /** Instant of an event, or end of a cumulative sample. A path, or a template like `{Date} {End}`. */
  at: path.optional(),
  from: path.optional(),
  to: path.optional(),
  /** Length of a delta interval whose device names only one end, or none. */
  interval_s: seconds.optional(),
  /** Where the message says that length, in seconds. */
  interval_path: path.optional(),
  format: z.enum(['iso8601', 'unix_s', 'unix_ms', 'local']).default('iso8601'),
  /** For `local`: where the message says its zone, like `UTC+8:00`. */
  zone_path: path.optional(),
  /** For `local`: where the message says that summer time adds an hour to that zone. */
  dst_path: path.optional(),
  /** For `local`: the zone of the device's clock, like `Europe/Zurich`. */
  zone: z.string().min(1).optional(),
});

const recordMapping = z.strictObject({
  /** One record for each element, for example `lines[]` or `logics[].records[]`. */
  each: z.string().regex(/\[\]$/, { error: 'must end in [], for example "lines[]"' }).optional(),
  where: conditions.optional(),
  /** Name of the line or zone inside the device, for example `line-{line}`. */
  element: z.string().min(1).max(200).optional(),
  /** The zone that zone measures speak of, where it is not the element: text, or `{path}`. */
  region: z.string().min(1).max(200).optional(),
  measures: z.array(measureMapping).min(1),
  time: timeMapping.optional(),
  /** Values that together name one message; a second delivery with the same key is no traffic. */
  dedupe: z.array(path).optional(),
  /** Changes exactly when the device's totals were reset, for example the time of the last reset. */
  reset_marker: path.optional(),
  /** How long the device has been running: less than before says that it was restarted. */
  uptime: path.optional(),
  /** When of the day the device clears its totals, on the clock of its zone. */
  resets_daily: z
    .strictObject({
      at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'use HH:MM' }),
      zone: z.string().refine(isZone, { error: 'name a zone such as Europe/Zurich' }),
    })
    .optional(),
});

const faultMapping = z
  .strictObject({
    /** What HQ calls it, for example `stuck`. */
    fault: z.string().regex(/^[a-z][a-z0-9_]{0,49}$/, { error: 'use lower-case words with "_"' }),
    /** Looked for in each element, for example `event[]`; left out: in the message. */
    each: z.string().regex(/\[\]$/, { error: 'must end in [], for example "event[]"' }).optional(),
    /** Where this holds, the device says whether it has the fault; elsewhere it says nothing. */
    where: conditions,
    /** It has the fault while this holds, or unless that does. */
    holds: conditions.optional(),
    unless: conditions.optional(),
  })
  .refine(({ holds, unless }) => (holds === undefined) !== (unless === undefined), {
    error: 'give either holds or unless',
  });

const healthMapping = z.strictObject({
  /** Charge in percent; of several batteries the lowest counts, and nothing outside of 0 to 100. */
  battery_pct: z.array(path).default([]),
  faults: z.array(faultMapping).max(50).default([]),
});
export type HealthMapping = z.infer<typeof healthMapping>;

export const mappingSchema = z.strictObject({
  /** The measures of a message that is one record. Longer messages have `records`. */
  measures: z.array(measureMapping).min(1).optional(),
  records: z.array(recordMapping).min(1).optional(),
  /** Frames that say nothing about people: heartbeats, answers to commands. */
  ignore: z.array(condition).default([]),
  /** Parts that are understood and must not count: a second account of the same people. */
  not_counted: z.array(path).default([]),
  /** What a message without any measure is: a fault of the device, or normal (battery, version). */
  without_measures: z.enum(['fault', 'ignore']).default('fault'),
  /** What the device says about itself, in whatever message. */
  health: healthMapping.optional(),
  region: z.string().default('zone'),
  /** Which device speaks, where several share one address; pairing names it with --device. */
  device: path.optional(),
  time: timeMapping.default({ format: 'iso8601' }),
  dedupe: z.array(path).default([]),
  /** Unit number inside the frame, for lines where several devices answer. */
  unit_path: path.optional(),
  /** Faster than this a door cannot be walked through; a jump above it must be confirmed. */
  people_per_minute_max: z.number().positive().default(300),
});

export type Mapping = z.infer<typeof mappingSchema>;
export type RecordMapping = z.infer<typeof recordMapping>;
export type MeasureMapping = z.infer<typeof measureMapping>;
export type TimeMapping = z.infer<typeof timeMapping>;
export type Condition = z.infer<typeof condition>;

/** The records a message may hold, written out. */
export function recordMappings(mapping: Mapping): readonly RecordMapping[] {
  return mapping.records ?? [{ measures: mapping.measures ?? [] }];
}

/** Calls `say` for each thing in a mapping that could count people wrongly. */
export function checkMapping(
  mapping: Mapping,
  dedupedOutside: boolean,
  say: (path: (string | number)[], message: string) => void,
): void {
  if ((mapping.measures === undefined) === (mapping.records === undefined)) {
    say(['measures'], 'give either measures or records');
  }
  recordMappings(mapping).forEach((record, r) => {
    const place = mapping.records === undefined ? [] : ['records', r];
    const deduped = (record.dedupe ?? mapping.dedupe).length > 0 || dedupedOutside;
    record.measures.forEach((measure, i) => {
      const at = [...place, 'measures', i];
      if (measure.semantics === 'cumulative' && measure.width === undefined) {
        say([...at, 'width'], 'is needed: say after how many bits the total starts again');
      }
      if (measure.semantics !== 'event' && measure.path === undefined) {
        say([...at, 'path'], 'is needed: only an event counts one person by itself');
      }
      const additive = measure.semantics === 'delta' || measure.semantics === 'event';
      if (additive && !deduped) {
        say([...place, 'dedupe'], `is needed: a ${measure.semantics} delivered twice adds people`);
      }
      const people = ['in', 'out', 'passages'].includes(measure.target);
      if (people && measure.role === 'primary' && hasTwin(mapping, record, measure)) {
        say(at, `gives "${measure.target}" a second meaning; one measure must be the primary one`);
      }
    });
  });
}

/** Whether another number of the same line or zone feeds the same count with another meaning. */
function hasTwin(mapping: Mapping, record: RecordMapping, measure: MeasureMapping): boolean {
  return recordMappings(mapping)
    .filter((other) => other.element === record.element)
    .flatMap((other) => other.measures)
    .some(
      (other) =>
        other.role === 'primary' &&
        other.target === measure.target &&
        other.semantics !== measure.semantics,
    );
}
