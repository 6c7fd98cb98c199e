/**
 * A decoded message to the records it holds, as the mapping says. The mapping is compiled to
 * functions once; a frame then costs little more than reading its JSON. Pure.
 */
import { count_max } from '../../shared/wire/reading.ts';
import type {
  Condition,
  Mapping,
  MeasureMapping,
  RecordMapping,
  TimeMapping,
} from './mapping-schema.ts';
import { recordMappings } from './mapping-schema.ts';
import type { DecodeFault, Measure, MeasureRecord, RefusedRecord } from './measure.ts';
import { eachItem, type Getter, getter, type Scope, template } from './path.ts';
import { slug } from './slug.ts';
import { readLocalTime, readTime } from './time.ts';

/** What the envelope says about a message; it stands in where the device itself is silent. */
export interface Surroundings {
  readonly time: unknown;
  readonly key: string | null;
}

/** Where readers of one frame put what they find. */
export interface RecordsRead {
  readonly records: MeasureRecord[];
  readonly refused: RefusedRecord[];
}

/** @returns whether the message has a place for records, if perhaps an empty one. */
export type RecordsReader = (root: Scope, around: Surroundings, found: RecordsRead) => boolean;

export function recordsReader(mapping: Mapping): RecordsReader {
  const readers = recordMappings(mapping).map((record) => recordReader(mapping, record));
  return (root, around, found) => {
    let understood = false;
    for (const { items, read } of readers) {
      if (items === null) {
        put(read(root, around), found);
        continue;
      }
      const scopes = items(root);
      if (scopes === null) continue;
      understood = true;
      for (const scope of scopes) put(read(scope, around), found);
    }
    return understood;
  };
}

function put(record: MeasureRecord | RefusedRecord | null, found: RecordsRead): void {
  if (record === null) return;
  if ('reason' in record) found.refused.push(record);
  else found.records.push(record);
}

/** Whether all the conditions hold for an item. */
export function holding(
  conditions: Condition | readonly Condition[],
): (scope: Scope) => Condition | null {
  const tests = [conditions].flat().map((condition) => ({ condition, test: tester(condition) }));
  return (scope) => {
    for (const { condition, test } of tests) if (!test(scope)) return condition;
    return null;
  };
}

function tester(condition: Condition): (scope: Scope) => boolean {
  const get = getter(condition.path);
  const { equals, exists } = condition;
  const contains = condition.contains?.toLowerCase();
  const lacks = condition.lacks?.toLowerCase();
  return (scope) => {
    const found = get(scope);
    if (exists !== undefined && (found !== undefined) !== exists) return false;
    if (equals !== undefined && found !== equals) return false;
    if (contains === undefined && lacks === undefined) return true;
    const text = typeof found === 'string' ? found.toLowerCase() : '';
    if (contains !== undefined && !text.includes(contains)) return false;
    return lacks === undefined || !text.includes(lacks);
  };
}

function recordReader(mapping: Mapping, record: RecordMapping) {
  const applies = record.where === undefined ? null : holding(record.where);
  const measures = record.measures.map(measureReader);
  const elementOf = record.element === undefined ? null : template(record.element);
  const regionText = record.region ?? (record.element === undefined ? mapping.region : undefined);
  const regionOf = regionText === undefined ? null : template(regionText);
  const timesOf = timesReader(record.time ?? mapping.time);
  const keyOf = keyReader(record.dedupe ?? mapping.dedupe);
  const marker = record.reset_marker === undefined ? null : getter(record.reset_marker);
  const evidenceOf = evidenceReader(record);

  const read = (scope: Scope, around: Surroundings): MeasureRecord | RefusedRecord | null => {
    if (applies !== null && applies(scope) !== null) return null;
    const found: Measure[] = [];
    for (const reader of measures) {
      const measure = reader(scope);
      if (measure === null) continue;
      if ('reason' in measure) return measure;
      found.push(measure);
    }
    if (found.length === 0) return null;
    const key = keyOf === null ? around.key : keyOf(scope);
    if (key === undefined) {
      return refused(
        'value_missing',
        `none of ${(record.dedupe ?? mapping.dedupe).join(', ')} is there`,
      );
    }
    const named = elementOf === null ? '' : elementOf(scope);
    if (named === undefined) return refused('value_missing', `${record.element} has no value`);
    const element = elementOf === null ? '' : slug(named);
    const { device, interval_s, time_unreadable } = timesOf(scope, around.time);
    return {
      element,
      region_id: regionOf === null ? element : (regionOf(scope) ?? 'zone'),
      measures: found,
      device,
      interval_s,
      time_unreadable,
      dedupe_key: key,
      reset_marker: marker === null ? null : textOf(marker(scope)),
      people_per_minute_max: mapping.people_per_minute_max,
      ...evidenceOf?.(scope),
    };
  };
  return { items: record.each === undefined ? null : eachItem(record.each), read };
}

/** What speaks for a reset without proving it; null where the profile names nothing. */
function evidenceReader({ uptime, resets_daily }: RecordMapping) {
  if (uptime === undefined && resets_daily === undefined) return null;
  const running = uptime === undefined ? null : getter(uptime);
  const [hours = 0, minutes = 0] = (resets_daily?.at ?? '').split(':').map(Number);
  const daily =
    resets_daily === undefined
      ? {}
      : { resets_daily: { minute: hours * 60 + minutes, zone: resets_daily.zone } };
  return (scope: Scope) => {
    const found = Number(running?.(scope) ?? Number.NaN);
    return Number.isFinite(found) ? { ...daily, uptime: found } : daily;
  };
}

type MeasureReader = (scope: Scope) => Measure | RefusedRecord | null;

function measureReader(mapped: MeasureMapping): MeasureReader {
  const get = mapped.path === undefined ? () => 1 : getter(mapped.path);
  const applies = mapped.where === undefined ? null : holding(mapped.where);
  const { target, semantics, role, resets, width } = mapped;
  const meanings = mapped.values === undefined ? null : new Map(Object.entries(mapped.values));
  const modulus = width === undefined || width === 'unbounded' ? null : 2 ** width;
  return (scope) => {
    if (applies !== null && applies(scope) !== null) return null;
    const raw = get(scope);
    if (raw === undefined || raw === null) {
      return mapped.optional ? null : refused('value_missing', `${mapped.path} is not there`);
    }
    const value = numberOf(mapped, meanings?.get(String(raw)) ?? raw, modulus);
    if (value === null) {
      const seen = JSON.stringify(raw)?.slice(0, 80);
      return refused('value_invalid', `${mapped.path} is ${seen}, not a count`);
    }
    return { target, value, semantics, role, modulus, resets };
  };
}

/** A count must be a whole number; devices also send it as text (Axis: every count is a string). */
function numberOf(mapped: MeasureMapping, raw: unknown, modulus: number | null): number | null {
  const number = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  const value = mapped.unit === 'ms' ? number / 1000 : number;
  if (mapped.target === 'dwell_s' || mapped.target === 'dwell_max_s')
    return value < 0 ? null : value;
  if (!Number.isSafeInteger(value)) return null;
  // A total may be of any size; what one interval, one crossing or one zone holds may not.
  if (mapped.semantics !== 'cumulative' && Math.abs(value) > count_max) return null;
  if (mapped.target === 'occupancy') return value;
  return value < 0 || (modulus !== null && value >= modulus) ? null : value;
}

const day_ms = 24 * 60 * 60 * 1000;

type Times = Pick<MeasureRecord, 'device' | 'interval_s' | 'time_unreadable'>;

function timesReader(time: TimeMapping): (scope: Scope, around: unknown) => Times {
  const from = time.from === undefined ? null : textGetter(time.from);
  const toPath = time.to ?? time.at;
  const to = toPath === undefined ? null : textGetter(toPath);
  const read = instantReader(time);
  const intervalOf = intervalReader(time);
  const { format } = time;
  return (scope, around) => {
    if (from === null && to === null && around !== undefined) {
      const heard = readTime(around, 'iso8601');
      const interval_s = intervalOf(scope);
      return { device: { from: null, to: heard }, interval_s, time_unreadable: heard === null };
    }
    const sentFrom = from?.(scope);
    const sentTo = to?.(scope);
    const device = {
      from: sentFrom === undefined ? null : read(sentFrom, scope),
      to: sentTo === undefined ? null : read(sentTo, scope),
    };
    // Where one date stands for both ends, an interval that ends at 00:00:00 ends on the next day.
    if (format === 'local' && device.from !== null && device.to !== null) {
      if (device.to < device.from) device.to += day_ms;
    }
    const time_unreadable =
      (sentFrom !== undefined && device.from === null) ||
      (sentTo !== undefined && device.to === null);
    return { device, interval_s: intervalOf(scope), time_unreadable };
  };
}

/** What is no length of up to a day is as good as none. */
function intervalReader({ interval_s, interval_path }: TimeMapping) {
  const declared = interval_s ?? null;
  if (interval_path === undefined) return () => declared;
  const get = getter(interval_path);
  return (scope: Scope): number | null => {
    const found = Number(get(scope) ?? Number.NaN);
    return found > 0 && found <= 86_400 ? found : declared;
  };
}

function instantReader(time: TimeMapping): (value: unknown, scope: Scope) => number | null {
  const { format } = time;
  if (format !== 'local') return (value) => readTime(value, format);
  const zone = time.zone_path === undefined ? null : getter(time.zone_path);
  const summer = time.dst_path === undefined ? null : getter(time.dst_path);
  return (value, scope) =>
    readLocalTime(value, zone?.(scope) ?? time.zone, isTrue(summer?.(scope)));
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true' || value === 1 || value === '1';
}

/** A path, or a template where the value stands in parts. */
function textGetter(text: string): Getter {
  return text.includes('{') ? template(text) : getter(text);
}

/** @returns null where no key is declared; the key is undefined where every part of it is missing. */
function keyReader(paths: readonly string[]): ((scope: Scope) => string | undefined) | null {
  if (paths.length === 0) return null;
  const getters = paths.map(getter);
  return (scope) => {
    let key: string | undefined;
    let missing = true;
    for (const get of getters) {
      const part = get(scope) ?? null;
      // A name is a text or a number; anything nested could be of any depth and size.
      if (typeof part === 'object' && part !== null) return undefined;
      if (part !== null) missing = false;
      key = key === undefined ? written(part) : `${key}|${written(part)}`;
    }
    return missing ? undefined : key;
  };
}

/** As JSON, which most values are without being asked: no quote, no backslash, nothing exotic. */
function written(part: unknown): string {
  if (typeof part === 'number') return Number.isFinite(part) ? String(part) : 'null';
  if (typeof part === 'string' && /^[ !#-[\]-~]*$/.test(part)) return `"${part}"`;
  return JSON.stringify(part);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number'
    ? String(value).slice(0, 100)
    : null;
}

function refused(reason: DecodeFault, detail: string): RefusedRecord {
  return { reason, detail };
}
