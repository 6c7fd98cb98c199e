/**
 * Frame bytes to measures, as the profile says. Pure: no clock, no I/O, never throws.
 */
import { count_max } from '../../shared/wire/reading.ts';
import { decodeBinary, decodeRegisters, NotThisDevice, WrongLength } from './codecs/binary.ts';
import { decodeJson } from './codecs/json.ts';
import type { Decoded, Measure, MeasureRecord } from './measure.ts';
import type { Codec, Condition, MeasureMapping, Profile } from './profile.ts';
import { readTime } from './time.ts';

export function decode(profile: Profile, bytes: Uint8Array): Decoded {
  try {
    return interpret(profile, runCodec(profile.codec, bytes));
  } catch (error) {
    return faultOf(error);
  }
}

function interpret(profile: Profile, value: unknown): Decoded {
  const { mapping } = profile;
  const reason = mapping.ignore.find((condition) => holds(condition, value));
  if (reason !== undefined) return { outcome: 'ignored', reason: reason.path };

  const measures: Measure[] = [];
  for (const mapped of mapping.measures) {
    if (mapped.where !== undefined && !holds(mapped.where, value)) continue;
    const number = mapped.path === undefined ? 1 : at(value, mapped.path);
    if (number === undefined || number === null) {
      return { outcome: 'fault', reason: 'value_missing', detail: `${mapped.path} is not there` };
    }
    const measure = toMeasure(mapped, number);
    if (measure === null) {
      const detail = `${mapped.path} is ${JSON.stringify(number)?.slice(0, 80)}, not a count`;
      return { outcome: 'fault', reason: 'value_invalid', detail };
    }
    measures.push(measure);
  }
  if (measures.length === 0) {
    const wanted = mapping.measures.map((m) => m.where?.path ?? m.path).join(', ');
    return { outcome: 'fault', reason: 'value_missing', detail: `no measure found in ${wanted}` };
  }

  const key = dedupeKey(mapping.dedupe, value);
  if (key === undefined) {
    const detail = `none of ${mapping.dedupe.join(', ')} is there`;
    return { outcome: 'fault', reason: 'value_missing', detail };
  }
  const unit = mapping.unit_path === undefined ? null : at(value, mapping.unit_path);
  return {
    outcome: 'records',
    unit: typeof unit === 'number' ? unit : null,
    records: [
      { ...times(mapping.time, value), ...frameOf(mapping, value), measures, dedupe_key: key },
    ],
  };
}

function runCodec(codec: Codec, bytes: Uint8Array): unknown {
  switch (codec.kind) {
    case 'json':
      return decodeJson(bytes);
    case 'binary':
      return decodeBinary(codec, bytes);
    case 'registers':
      return decodeRegisters(codec, bytes);
  }
}

function faultOf(error: unknown): Decoded {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof WrongLength) return { outcome: 'fault', reason: 'truncated', detail };
  if (error instanceof NotThisDevice)
    return { outcome: 'fault', reason: 'not_this_device', detail };
  return { outcome: 'fault', reason: 'malformed', detail };
}

function frameOf(mapping: Profile['mapping'], value: unknown) {
  const region = mapping.region.startsWith('$.')
    ? at(value, mapping.region.slice(2))
    : mapping.region;
  return {
    element: '',
    region_id: typeof region === 'string' || typeof region === 'number' ? String(region) : 'zone',
    people_per_minute_max: mapping.people_per_minute_max,
  };
}

/** A count must be a whole number; devices also send it as text (Axis: every count is a string). */
function toMeasure(mapped: MeasureMapping, raw: unknown): Measure | null {
  const number = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  const value = mapped.unit === 'ms' ? number / 1000 : number;
  const people = mapped.target === 'in' || mapped.target === 'out';
  if (people && (!Number.isSafeInteger(value) || value < 0)) return null;
  // A total may be of any size; what one interval, one crossing or one zone holds may not.
  const bounded = mapped.semantics === 'cumulative' || Math.abs(value) <= count_max;
  if (!bounded) return null;
  if (mapped.target === 'occupancy' && !Number.isInteger(value)) return null;
  if (mapped.target === 'dwell_s' && value < 0) return null;
  const { width } = mapped;
  const modulus = width === undefined || width === 'unbounded' ? null : 2 ** width;
  if (modulus !== null && value >= modulus) return null;
  return {
    target: mapped.target,
    value,
    semantics: mapped.semantics,
    modulus,
    resets: mapped.resets,
  };
}

function times(
  time: Profile['mapping']['time'],
  value: unknown,
): Pick<MeasureRecord, 'device' | 'interval_s' | 'time_unreadable'> {
  const read = (path: string | undefined) =>
    path === undefined ? null : readTime(at(value, path), time.format);
  const from = read(time.from);
  const to = read(time.to ?? time.at);
  const unreadable = [time.from, time.to, time.at].some(
    (path) => path !== undefined && at(value, path) !== undefined && read(path) === null,
  );
  return { device: { from, to }, interval_s: time.interval_s ?? null, time_unreadable: unreadable };
}

/** @returns null where the profile needs no key, undefined where the frame lacks every part of it. */
function dedupeKey(paths: readonly string[], value: unknown): string | null | undefined {
  if (paths.length === 0) return null;
  const parts = paths.map((path) => at(value, path));
  if (parts.every((part) => part === undefined || part === null)) return undefined;
  // A name is a text or a number; anything nested could be of any depth and size.
  if (parts.some((part) => typeof part === 'object' && part !== null)) return undefined;
  return parts.map((part) => JSON.stringify(part ?? null)).join('|');
}

function holds(condition: Condition, value: unknown): boolean {
  const found = at(value, condition.path);
  if (condition.exists !== undefined && (found !== undefined) !== condition.exists) return false;
  return condition.equals === undefined || found === condition.equals;
}

/** The value at a path; own properties only, so that `__proto__` in a path finds nothing. */
function at(value: unknown, path: string): unknown {
  if (path === '$') return value;
  let found: unknown = value;
  for (const step of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step))
      return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}
