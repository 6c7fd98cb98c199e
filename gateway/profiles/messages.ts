/** A frame's bytes to the device messages in it: envelope, then codec. Pure. */
import type { Codec } from './codec-schema.ts';
import { decodeBinary, decodeRegisters, decodeTlv } from './codecs/binary.ts';
import { decodeSparkplug, type SparkplugPayload } from './codecs/sparkplug.ts';
import { decodeCsv, decodeJson } from './codecs/text.ts';
import { decodeXml } from './codecs/xml.ts';
import { envelopesIn, openEnvelope, type Uplink } from './envelope.ts';
import type { RunScript } from './measure.ts';
import { eachItem, outermostScope } from './path.ts';
import type { Profile } from './profile.ts';

export interface DecodeOptions {
  /** The frame is the device's own bytes, already out of the envelope, from this LoRaWAN port. */
  readonly port?: number;
  /** The Sparkplug payload, where whoever keeps the births has read it with their names. */
  readonly payload?: SparkplugPayload | null;
  /** What `runScripts` gave for this frame; a profile with a script codec is a fault without it. */
  readonly scripted?: readonly Scripted[];
}

/** What a script made of one message of a frame. */
type Scripted = { readonly value: unknown } | { readonly error: Error };

/** One device message, decoded but not yet understood. */
export interface Message {
  readonly value: unknown;
  readonly device: string | null;
  readonly time: unknown;
  readonly key: string | null;
  /** What its envelope or codec threw, where others of the same frame could be read. */
  readonly error?: unknown;
  /** What the network knows of the device's battery. */
  readonly battery_pct?: unknown;
  /** The network speaks of the device, which itself said nothing. */
  readonly status?: true;
}

interface Messages {
  readonly messages: Message[];
  /** Why there is none, where that is in order. */
  readonly ignored: string | null;
}

/** @throws what codecs throw. */
export function messagesOf(profile: Profile, bytes: Uint8Array, options: DecodeOptions): Messages {
  if (profile.codec.kind === 'sparkplug') {
    const read = options.payload ?? decodeSparkplug(bytes);
    return { messages: [bare(read)], ignored: null };
  }
  if (profile.codec.kind !== 'script') return split(profile, bytes, options.port, runCodec);
  const answers = options.scripted?.values();
  return split(profile, bytes, options.port, () => {
    const answer = answers?.next().value;
    if (answer === undefined) throw new Error('no sandbox for script codecs is open');
    if ('error' in answer) throw answer.error;
    return answer.value;
  });
}

/**
 * Runs a profile's script on each message of a frame; `decode` then takes the answers. They are apart
 * because a script takes its time in a thread of its own, while everything else is decided at once.
 *
 * @returns nothing where the codec is no script, or where `decode` has a fault of the frame to tell.
 */
export async function runScripts(
  profile: Profile,
  bytes: Uint8Array,
  runScript: RunScript,
  port?: number,
): Promise<Pick<DecodeOptions, 'scripted'>> {
  const { codec } = profile;
  if (codec.kind !== 'script') return {};
  const inputs: { own: Uint8Array; from: number }[] = [];
  try {
    split(profile, bytes, port, (_codec, own, from) => inputs.push({ own, from }));
  } catch {
    return {};
  }
  const scripted: Scripted[] = [];
  for (const { own, from } of inputs) {
    const answer = runScript(codec.source, own, from).then((value) => ({ value }));
    scripted.push(await answer.catch((error: Error) => ({ error })));
  }
  return { scripted };
}

type RunCodec = (codec: Codec, bytes: Uint8Array, port: number) => unknown;

function split(
  { codec, messages: each, ports, unwrap }: Profile,
  bytes: Uint8Array,
  bare_port: number | undefined,
  run: RunCodec,
): Messages {
  if (unwrap === undefined || bare_port !== undefined) {
    const port = bare_port ?? 0;
    if (bare_port !== undefined && ports?.includes(port) === false) {
      return { messages: [], ignored: `port_${port}` };
    }
    const value = run(codec, bytes, port);
    const values = each === undefined ? null : eachItem(each)(outermostScope(value));
    if (values === null) return { messages: [bare(value)], ignored: null };
    assertFew(values.length);
    return { messages: values.map((item) => bare(item.value)), ignored: 'no_messages' };
  }
  let ignored = 'no_messages';
  const envelopes = envelopesIn(decodeJson(bytes));
  assertFew(envelopes.length);
  const unwrapped = (envelope: unknown): Message | null => {
    const uplink = openEnvelope(envelope);
    if (uplink.bytes !== null && ports?.includes(uplink.port) === false) {
      ignored = `port_${uplink.port}`;
      return null;
    }
    if (isStatus(uplink)) return { ...uplink, value: undefined, status: true };
    return { ...uplink, value: contentOf(codec, uplink, run) };
  };
  // One that cannot be read must not take the others of its array along.
  const read = envelopes.length === 1 ? unwrapped : guarded(unwrapped);
  const messages = envelopes.map(read).filter((message) => message !== null);
  return { messages, ignored };
}

/** Far more than devices gather for one push, and few enough to be kept one by one. */
const messages_max = 1_000;

function assertFew(count: number): void {
  if (count > messages_max) throw new Error(`${count} messages where ${messages_max} are taken`);
}

function bare(value: unknown): Message {
  return { value, device: null, time: undefined, key: null };
}

function guarded(read: (envelope: unknown) => Message | null) {
  return (envelope: unknown): Message | null => {
    try {
      return read(envelope);
    } catch (error) {
      return { ...bare(null), error };
    }
  };
}

function isStatus({ bytes, object, battery_pct }: Uplink): boolean {
  return bytes === null && object === undefined && battery_pct !== undefined;
}

/** The device's own bytes where they are there: what a server made of them may be anything. */
function contentOf(codec: Codec, { bytes, port, object }: Uplink, run: RunCodec): unknown {
  if (bytes !== null) return run(codec, bytes, port);
  if (object === undefined) throw new Error('the envelope carries neither bytes nor values');
  return object;
}

function runCodec(codec: Codec, bytes: Uint8Array): unknown {
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
    case 'sparkplug':
      return decodeSparkplug(bytes);
    case 'script':
      throw new Error('a script runs in the sandbox');
  }
}
