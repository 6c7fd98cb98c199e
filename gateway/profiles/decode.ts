/**
 * Frame bytes to measures, as the profile says: envelope, codec, mapping. Pure: no clock, no I/O,
 * never throws.
 */
import type { Codec } from './codec-schema.ts';
import { decodeBinary, decodeRegisters, decodeTlv } from './codecs/binary.ts';
import { NotThisDevice, WrongLength } from './codecs/faults.ts';
import { decodeCsv, decodeJson } from './codecs/text.ts';
import { decodeXml } from './codecs/xml.ts';
import { openEnvelope, type Uplink } from './envelope.ts';
import type { Decoded, MeasureRecord, RefusedRecord, RunScript } from './measure.ts';
import { type Getter, getter, outermostScope, type Scope } from './path.ts';
import type { Profile } from './profile.ts';
import { holding, type RecordsRead, type RecordsReader, recordsReader } from './read-records.ts';

export interface DecodeOptions {
  /** Runs script codecs; a profile with one is a fault without it. */
  readonly runScript?: RunScript;
  /** The frame is the device's own bytes, already out of the envelope, from this LoRaWAN port. */
  readonly port?: number;
}

/** One device message, decoded but not yet understood. */
interface Message {
  readonly value: unknown;
  readonly device: string | null;
  readonly time: unknown;
  readonly key: string | null;
}

export function decode(profile: Profile, bytes: Uint8Array, options: DecodeOptions = {}): Decoded {
  try {
    const { messages, ignored } = messagesOf(profile, bytes, options);
    if (messages.length === 0) return { outcome: 'ignored', reason: ignored ?? 'no_records' };
    return understand(profile, messages);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    if (error instanceof WrongLength) return { outcome: 'fault', reason: 'truncated', detail };
    if (error instanceof NotThisDevice) {
      return { outcome: 'fault', reason: 'not_this_device', detail };
    }
    return { outcome: 'fault', reason: 'malformed', detail };
  }
}

/** What the codec makes of the frame, for a person who writes a profile. @throws what codecs throw. */
export function decodedValues(
  profile: Profile,
  bytes: Uint8Array,
  options: DecodeOptions = {},
): unknown[] {
  return messagesOf(profile, bytes, options).messages.map(({ value }) => value);
}

function messagesOf(
  profile: Profile,
  bytes: Uint8Array,
  options: DecodeOptions,
): { messages: Message[]; ignored: string | null } {
  const { codec, ports } = profile;
  if (profile.unwrap === undefined || options.port !== undefined) {
    const port = options.port ?? 0;
    if (options.port !== undefined && ports?.includes(port) === false) {
      return { messages: [], ignored: `port_${port}` };
    }
    const value = runCodec(codec, bytes, port, options);
    return { messages: [{ value, device: null, time: undefined, key: null }], ignored: null };
  }
  const uplinks = openEnvelope(decodeJson(bytes));
  if (uplinks === null) throw new NotThisDevice('no envelope of a LoRaWAN network server');
  const wanted = uplinks.filter(
    ({ bytes, port }) => bytes === null || ports?.includes(port) !== false,
  );
  const ignored = wanted.length === 0 ? `port_${uplinks[0]?.port ?? 0}` : null;
  const messages = wanted.map((uplink) => ({
    ...uplink,
    value: contentOf(codec, uplink, options),
  }));
  return { messages, ignored };
}

/** The device's own bytes where they are there: what a server made of them may be anything. */
function contentOf(codec: Codec, { bytes, port, object }: Uplink, options: DecodeOptions): unknown {
  if (bytes !== null) return runCodec(codec, bytes, port, options);
  if (object === undefined) throw new Error('the envelope carries neither bytes nor values');
  return object;
}

function runCodec(codec: Codec, bytes: Uint8Array, port: number, options: DecodeOptions): unknown {
  switch (codec.kind) {
    case 'json':
      return decodeJson(bytes);
    case 'xml':
      return decodeXml(bytes);
    case 'csv':
      return decodeCsv(codec, bytes);
    case 'binary':
      return decodeBinary(codec, bytes);
    case 'tlv':
      return decodeTlv(codec, bytes);
    case 'registers':
      return decodeRegisters(codec, bytes);
    case 'script':
      if (options.runScript === undefined) throw new Error('no sandbox for script codecs is open');
      return options.runScript(codec.source, bytes, port);
  }
}

/** A mapping as functions; a profile is compiled when its first frame arrives. */
interface Reader {
  readonly records: RecordsReader;
  readonly ignore: readonly { readonly path: string; readonly holds: ReturnType<typeof holding> }[];
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
    device: mapping.device === undefined ? null : getter(mapping.device),
    unit: mapping.unit_path === undefined ? null : getter(mapping.unit_path),
    not_counted: mapping.not_counted.map((path) => ({ path, get: getter(path) })),
    sorts: (mapping.records?.length ?? 1) > 1,
  };
  readers.set(profile, reader);
  return reader;
}

function understand(profile: Profile, messages: readonly Message[]): Decoded {
  const reader = readerOf(profile);
  const found: RecordsRead = { records: [], refused: [] };
  const { records, refused } = found;
  let ignored: string | null = null;
  let unit: unknown = null;
  let device: unknown = null;
  for (const message of messages) {
    const scope = outermostScope(message.value);
    device = reader.device?.(scope) ?? message.device;
    const heartbeat = quiet(reader, scope);
    if (heartbeat !== null) {
      ignored = heartbeat;
      continue;
    }
    if (reader.unit !== null) unit = reader.unit(scope);
    const before = records.length;
    const faults = refused.length;
    const understood = reader.records(scope, message, found);
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
  if (records.length === 0) return { outcome: 'ignored', reason: ignored ?? 'no_measures' };
  if (reader.sorts && records.length > 1) records.sort(byTime);
  return {
    outcome: 'records',
    unit: typeof unit === 'number' ? unit : null,
    device: typeof device === 'string' ? device.toLowerCase() : null,
    records,
    refused,
  };
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

function wanted({ mapping }: Profile): string {
  const measures = mapping.records?.flatMap((record) => record.measures) ?? mapping.measures ?? [];
  const paths = measures.map(({ where, path }) => [where ?? []].flat()[0]?.path ?? path);
  return [...new Set(paths)].join(', ');
}
