/** A frame's bytes to the device messages in it: envelope, then codec. Pure. */
import type { Codec } from './codec-schema.ts';
import { decodeBinary, decodeRegisters, decodeTlv } from './codecs/binary.ts';
import { NotThisDevice } from './codecs/faults.ts';
import { decodeCsv, decodeJson } from './codecs/text.ts';
import { decodeXml } from './codecs/xml.ts';
import { openEnvelope, type Uplink } from './envelope.ts';
import type { RunScript } from './measure.ts';
import type { Profile } from './profile.ts';

export interface DecodeOptions {
  /** The frame is the device's own bytes, already out of the envelope, from this LoRaWAN port. */
  readonly port?: number;
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
}

interface Messages {
  readonly messages: Message[];
  /** Why there is none, where that is in order. */
  readonly ignored: string | null;
}

/** @throws what codecs throw. */
export function messagesOf(profile: Profile, bytes: Uint8Array, options: DecodeOptions): Messages {
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
  { codec, ports, unwrap }: Profile,
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
    return { messages: [{ value, device: null, time: undefined, key: null }], ignored: null };
  }
  const uplinks = openEnvelope(decodeJson(bytes));
  if (uplinks === null) throw new NotThisDevice('no envelope of a LoRaWAN network server');
  const wanted = uplinks.filter(
    ({ bytes, port }) => bytes === null || ports?.includes(port) !== false,
  );
  const ignored = wanted.length === 0 ? `port_${uplinks[0]?.port ?? 0}` : null;
  const messages = wanted.map((uplink) => ({ ...uplink, value: contentOf(codec, uplink, run) }));
  return { messages, ignored };
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
    case 'script':
      throw new Error('a script runs in the sandbox');
  }
}
