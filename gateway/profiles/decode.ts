/**
 * Frame bytes to measures, as the profile says: envelope, codec, mapping. Pure: no clock, no I/O,
 * never throws.
 */

import { NotThisDevice, WrongLength } from './codecs/faults.ts';
import type { SparkplugPayload } from './codecs/sparkplug.ts';
import { type HealthReader, healthOfNetwork, healthReader, joined } from './device-health.ts';
import type {
  Decoded,
  DecodeFault,
  DeviceDecoded,
  DeviceHealth,
  MeasureRecord,
  RefusedRecord,
} from './measure.ts';
import { type DecodeOptions, type Message, messagesOf } from './messages.ts';
import { type Getter, getter, outermostScope, type Scope } from './path.ts';
import type { Profile } from './profile.ts';
import { holding, type RecordsRead, type RecordsReader, recordsReader } from './read-records.ts';

export function decode(profile: Profile, bytes: Uint8Array, options: DecodeOptions = {}): Decoded {
  try {
    const { messages, ignored } = messagesOf(profile, bytes, options);
    if (messages.length === 0) return { outcome: 'ignored', reason: ignored ?? 'no_records' };
    const reader = readerOf(profile);
    if (messages.length === 1) return understand(profile, reader, messages);
    const [first, ...others] = byDevice(reader, messages);
    if (first === undefined || others.length === 0) return understand(profile, reader, messages);
    const devices = [first, ...others].map((own) => understand(profile, reader, own));
    return { outcome: 'several', devices };
  } catch (error) {
    return { outcome: 'fault', ...faultOf(error) };
  }
}

function faultOf(error: unknown): { reason: DecodeFault; detail: string } {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof WrongLength) return { reason: 'truncated', detail };
  if (error instanceof NotThisDevice) return { reason: 'not_this_device', detail };
  return { reason: 'malformed', detail };
}

/** Some devices are numbers. */
function nameOf(device: unknown): string | null {
  if (typeof device === 'number') return String(device);
  return typeof device === 'string' ? device.toLowerCase() : null;
}

/** What could not be read is of no device that is known. */
function byDevice({ device }: Reader, messages: readonly Message[]): Message[][] {
  const groups = new Map<string | null, Message[]>();
  for (const message of messages) {
    const name = nameOf(device?.(outermostScope(message.value)) ?? message.device);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [message]);
    else group.push(message);
  }
  return [...groups.values()];
}

/** What the codec makes of the frame, for a person who writes a profile. @throws what codecs throw. */
export function decodedValues(
  profile: Profile,
  bytes: Uint8Array,
  options: DecodeOptions = {},
): unknown[] {
  return messagesOf(profile, bytes, options).messages.map(({ value }) => value);
}

/** A mapping as functions; a profile is compiled when its first frame arrives. */
interface Reader {
  readonly records: RecordsReader;
  readonly ignore: readonly { readonly path: string; readonly holds: ReturnType<typeof holding> }[];
  readonly health: HealthReader | null;
  readonly device: Getter | null;
  readonly unit: Getter | null;
  readonly not_counted: readonly { readonly path: string; readonly get: Getter }[];
  /** Several mappings give records out of order; the second half would look as if it came late. */
  readonly sorts: boolean;
}
const readers = new WeakMap<Profile, Reader>();

function readerOf(profile: Profile): Reader {
  const known = readers.get(profile);
  if (known !== undefined) return known;
  const { mapping } = profile;
  const reader: Reader = {
    records: recordsReader(mapping),
    ignore: mapping.ignore.map((each) => ({ path: each.path, holds: holding(each) })),
    health: mapping.health === undefined ? null : healthReader(mapping.health),
    device: mapping.device === undefined ? null : getter(mapping.device),
    unit: mapping.unit_path === undefined ? null : getter(mapping.unit_path),
    not_counted: mapping.not_counted.map((path) => ({ path, get: getter(path) })),
    sorts: (mapping.records?.length ?? 1) > 1,
  };
  readers.set(profile, reader);
  return reader;
}

function understand(profile: Profile, reader: Reader, messages: readonly Message[]): DeviceDecoded {
  const found: RecordsRead = { records: [], refused: [] };
  const { records, refused } = found;
  let ignored: string | null = null;
  let health: DeviceHealth | null = null;
  let unit: unknown = null;
  let device: unknown = null;
  for (const message of messages) {
    if (message.error !== undefined) {
      refused.push(faultOf(message.error));
      continue;
    }
    const scope = outermostScope(message.value);
    device = reader.device?.(scope) ?? message.device;
    if (message.battery_pct !== undefined) {
      health = joined(health, healthOfNetwork(message.battery_pct));
    }
    if (message.status === true) {
      ignored = 'device_status';
      continue;
    }
    if (reader.health !== null) health = joined(health, reader.health(scope));
    const heartbeat = quiet(reader, scope);
    if (heartbeat !== null) {
      ignored = heartbeat;
      continue;
    }
    if (reader.unit !== null) unit = reader.unit(scope);
    const before = records.length;
    const faults = refused.length;
    const understood = reader.records(scope, message, found);
    if (profile.codec.kind === 'sparkplug') noteNameless(message.value, refused);
    if (profile.codec.kind === 'tlv') noteUnread(message.value, records.length - before, refused);
    if (records.length > before || refused.length > faults) continue;
    const known = reader.not_counted.find(({ get }) => get(scope) !== undefined);
    if (known !== undefined) ignored = known.path;
    else if (understood || profile.mapping.without_measures === 'ignore') ignored = 'no_measures';
    else
      refused.push({ reason: 'value_missing', detail: `no measure found in ${wanted(profile)}` });
  }
  const [first] = refused;
  if (records.length === 0 && first !== undefined) return { outcome: 'fault', ...first };
  const told = health === null ? null : { health, device: nameOf(device) };
  if (records.length === 0) {
    return { outcome: 'ignored', reason: ignored ?? 'no_measures', ...told };
  }
  if (reader.sorts && records.length > 1) records.sort(byTime);
  return {
    outcome: 'records',
    unit: typeof unit === 'number' ? unit : null,
    device: nameOf(device),
    records,
    refused: few(refused),
    ...told,
  };
}

/** Each stands in quarantine with the head of the frame; a hundred thousand would fill the memory. */
const refused_max = 20;

function few(refused: RefusedRecord[]): readonly RefusedRecord[] {
  const [next] = refused.slice(refused_max);
  if (next === undefined) return refused;
  const detail = `${refused.length - refused_max} more, the first of them: ${next.detail}`;
  return [...refused.slice(0, refused_max), { reason: next.reason, detail }];
}

/** The path by which a frame says that it is not about people, or null. */
function quiet({ ignore }: Reader, scope: Scope): string | null {
  for (const { path, holds } of ignore) if (holds(scope) === null) return path;
  return null;
}

function byTime(a: MeasureRecord, b: MeasureRecord): number {
  return (a.device.to ?? 0) - (b.device.to ?? 0);
}

/** Bytes that a layout did not know: what was read before them counts, the frame is kept as well. */
function noteUnread(value: unknown, records: number, refused: RefusedRecord[]): void {
  const rest = getter('unread')(outermostScope(value));
  if (typeof rest !== 'string') return;
  const what = records === 0 ? 'nothing about people' : 'not everything';
  refused.push({ reason: 'unread', detail: `${what} could be read: unknown from ${rest} on` });
}

/** What a birth should have named counts nobody until one does; it stands in quarantine. */
function noteNameless(value: unknown, refused: RefusedRecord[]): void {
  const { unknown_aliases: aliases } = value as SparkplugPayload;
  if (aliases === undefined) return;
  const detail = `no birth was heard that names alias ${aliases.slice(0, 10).join(', ')}`;
  refused.push({ reason: 'alias_unknown', detail });
}

function wanted({ mapping }: Profile): string {
  const measures = mapping.records?.flatMap((record) => record.measures) ?? mapping.measures ?? [];
  const paths = measures.map(({ where, path }) => [where ?? []].flat()[0]?.path ?? path);
  return [...new Set(paths)].join(', ');
}
