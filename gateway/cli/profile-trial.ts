/**
 * One frame on its way through a profile, for a person who writes one: bytes → values → measures →
 * readings. What a real source strips before it hands a frame on is stripped here too, so that bytes
 * can be pasted as a manual or a line monitor shows them.
 */
import type { Reading } from '../../shared/wire/reading.ts';
import { type Direction, turn } from '../meters/direction.ts';
import { type MeterState, newMeterState, step } from '../meters/meter.ts';
import { decodeSparkplug, defineMetrics, noDefinitions } from '../profiles/codecs/sparkplug.ts';
import { decode, decodedValues } from '../profiles/decode.ts';
import {
  type DeviceDecoded,
  type DeviceHealth,
  eachDevice,
  type MeasureRecord,
  type RefusedRecord,
  type RunScript,
} from '../profiles/measure.ts';
import { type DecodeOptions, runScripts } from '../profiles/messages.ts';
import type { Profile } from '../profiles/profile.ts';
import { checksumOf } from '../sources/checksum.ts';
import { Framer } from '../sources/framer.ts';

export interface TrialOptions {
  readonly runScript: RunScript;
  readonly direction: Direction;
  /** LoRaWAN port of a frame that is out of its envelope; undefined: as the profile says. */
  readonly port: number | undefined;
  /** ms since the epoch; the next frames follow a minute apart. */
  readonly received_at: number;
}

/** What became of one frame, or of one device's part of it. */
export interface Trial {
  readonly outcome: DeviceDecoded['outcome'];
  /** Which device the frame names, or null. */
  readonly device: string | null;
  /** Why it was ignored or goes to quarantine, or null. */
  readonly reason: string | null;
  readonly detail: string | null;
  readonly values: readonly unknown[];
  readonly records: readonly MeasureRecord[];
  readonly refused: readonly RefusedRecord[];
  /** What it says about its device, or null. */
  readonly health: DeviceHealth | null;
  readonly readings: readonly Reading[];
  readonly notes: readonly string[];
}

const report_interval_ms = 60_000;

/** Frames after one another through one meter, as a sensor `sensor` would see them. */
export async function tryFrames(
  profile: Profile,
  payloads: readonly Uint8Array[],
  options: TrialOptions,
): Promise<Trial[]> {
  const meters = new Map<string, MeterState>();
  const births = noDefinitions();
  const frames = payloads.flatMap((bytes) => cut(profile, bytes));
  const trials: Trial[] = [];
  for (const [i, frame] of frames.entries()) {
    const received_at = options.received_at + i * report_interval_ms;
    if ('reason' in frame) {
      trials.push({ ...nothing, outcome: 'fault', reason: frame.reason, detail: frame.detail });
      continue;
    }
    const how = {
      ...(await decodeOptions(profile, frame.bytes, options)),
      ...(profile.codec.kind === 'sparkplug' ? namedBy(births, frame.bytes) : {}),
    };
    const heard = forAnswer(profile, frame.bytes);
    const values = valuesOf(heard, frame.bytes, how);
    const devices = eachDevice(decode(heard, frame.bytes, how));
    for (const [at, decoded] of devices.entries()) {
      // What the frame holds is shown once.
      const trial = tryDevice(decoded, { ...options, received_at }, meters);
      const notes = heard === profile ? trial.notes : [...trial.notes, shortAnswer];
      trials.push({ ...trial, notes, values: at === 0 ? values : [] });
    }
  }
  return trials;
}

async function decodeOptions(
  profile: Profile,
  bytes: Uint8Array,
  { runScript, port = barePort(profile, bytes) }: TrialOptions,
): Promise<DecodeOptions> {
  const scripted = await runScripts(profile, bytes, runScript, port);
  return { ...scripted, ...(port === undefined ? {} : { port }) };
}

/** Names that an earlier payload gave stand for their aliases in this one. */
function namedBy(births: ReturnType<typeof noDefinitions>, bytes: Uint8Array): DecodeOptions {
  try {
    const payload = decodeSparkplug(bytes, births);
    defineMetrics(births, payload);
    return { payload };
  } catch {
    return {};
  }
}

const shortAnswer = 'the answer holds fewer registers than the profile asks for';

/** Manuals show answers about one counter where the profile asks for several: as far as it goes. */
function forAnswer(profile: Profile, bytes: Uint8Array): Profile {
  const { codec, mapping } = profile;
  if (codec.kind !== 'registers' || mapping.measures === undefined) return profile;
  const fields = codec.fields.filter(
    ({ at, type }) => 2 * at + (type === 'u16' ? 2 : 4) <= bytes.length,
  );
  if (fields.length === 0 || fields.length === codec.fields.length) return profile;
  const names = new Set(fields.map(({ name }) => name));
  const measures = mapping.measures.filter(({ path }) => names.has(path ?? ''));
  return { ...profile, codec: { ...codec, fields }, mapping: { ...mapping, measures } };
}

const nothing: Omit<Trial, 'outcome'> = {
  device: null,
  reason: null,
  detail: null,
  values: [],
  records: [],
  refused: [],
  health: null,
  readings: [],
  notes: [],
};

function tryDevice(
  decoded: DeviceDecoded,
  { direction, received_at }: TrialOptions,
  meters: Map<string, MeterState>,
): Trial {
  const health = decoded.outcome === 'fault' ? null : (decoded.health ?? null);
  if (decoded.outcome !== 'records') return { ...nothing, ...decoded, health };
  const { device, refused } = decoded;
  const records = decoded.records.map((record) => turn(record, direction));
  const readings: Reading[] = [];
  const notes: string[] = [];
  for (const record of records) {
    const sensor_id = record.element === '' ? 'sensor' : `sensor/${record.element}`;
    const meter = `${device} ${sensor_id}`;
    const before = meters.get(meter) ?? newMeterState;
    const after = step(before, sensor_id, record, { received_at, report_interval_ms });
    meters.set(meter, after.state);
    readings.push(...after.readings);
    notes.push(...after.notes.map((note) => `${sensor_id}: ${note}`));
  }
  return { ...nothing, outcome: 'records', device, records, refused, health, readings, notes };
}

function valuesOf(profile: Profile, bytes: Uint8Array, how: DecodeOptions): unknown[] {
  try {
    return decodedValues(profile, bytes, how);
  } catch {
    return [];
  }
}

/** A device's own bytes without an envelope: JSON begins otherwise. */
function barePort(profile: Profile, bytes: Uint8Array): number | undefined {
  const json = /^\s*[[{]/.test(Buffer.from(bytes.subarray(0, 20)).toString('latin1'));
  return profile.unwrap === undefined || json ? undefined : (profile.ports?.[0] ?? 1);
}

type Cut = { readonly bytes: Uint8Array } | { readonly reason: string; readonly detail: string };

function cut(profile: Profile, bytes: Uint8Array): Cut[] {
  if (profile.modbus !== undefined) return [registersOf(profile.modbus.function, bytes)];
  if (profile.serial === undefined) return [{ bytes }];
  const found = new Framer(profile.serial.framing).push(bytes);
  return found.length > 0
    ? found
    : [{ reason: 'truncated', detail: 'no whole frame between the markers' }];
}

/** The registers of a whole answer, Modbus TCP or RTU with or without CRC; else the bytes as they are. */
function registersOf(code: number, bytes: Uint8Array): Cut {
  const tcp = bytes.length > 9 && bytes[2] === 0 && bytes[3] === 0 && bytes[7] === code;
  if (tcp) return { bytes: bytes.subarray(9) };
  const length = bytes[2] ?? 0;
  const rest = bytes.length - 3 - length;
  if (bytes[1] !== code || (rest !== 0 && rest !== 2)) return { bytes };
  const crc = checksumOf('crc16-modbus', bytes.subarray(0, 3 + length));
  const sent = bytes.subarray(3 + length);
  if (rest === 2 && (crc[0] !== sent[0] || crc[1] !== sent[1])) {
    return { reason: 'checksum', detail: 'the CRC does not fit the bytes' };
  }
  return { bytes: bytes.subarray(3, 3 + length) };
}
