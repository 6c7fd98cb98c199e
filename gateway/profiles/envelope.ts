/**
 * LoRaWAN network servers wrap the device's bytes in a JSON message of their own. Which server it is
 * shows in the message, so nobody has to say: ChirpStack v4, The Things Stack v3, and the gateways of
 * Milesight, one message or an array of them. Pure.
 */
import { NotThisDevice } from './codecs/faults.ts';
import { getter, outermostScope } from './path.ts';

/** One device message, out of its envelope. */
export interface Uplink {
  readonly device: string | null;
  /** The device's bytes; null where the server sent only what it decoded itself. */
  readonly bytes: Uint8Array | null;
  readonly port: number;
  /** What the server decoded, where it did. */
  readonly object: unknown;
  /** When the network heard it, as text of RFC 3339. */
  readonly time: unknown;
  /** Names the uplink for ever; null where nothing does. */
  readonly key: string | null;
  /** What the network says of the device's battery, percent; undefined where it says nothing. */
  readonly battery_pct: unknown;
}

interface Shape {
  readonly device: string;
  readonly data: string;
  readonly port: string;
  readonly object: string;
  readonly time: string;
  /** The first of these that is there names the uplink. */
  readonly key: readonly (readonly string[])[];
  /** Devices tell it beside their own messages; not known where one of `battery_unknown` is true. */
  readonly battery?: string;
  readonly battery_unknown?: readonly string[];
}

const shapes: readonly Shape[] = [
  {
    // The Things Stack v3; it leaves out what is zero, false or empty.
    device: 'end_device_ids.dev_eui',
    data: 'uplink_message.frm_payload',
    port: 'uplink_message.f_port',
    object: 'uplink_message.decoded_payload',
    time: 'uplink_message.received_at',
    key: [
      ['uplink_message.session_key_id', 'uplink_message.f_cnt'],
      ['uplink_message.received_at'],
    ],
    battery: 'uplink_message.last_battery_percentage.value',
  },
  {
    // ChirpStack v4
    device: 'deviceInfo.devEui',
    data: 'data',
    port: 'fPort',
    object: 'object',
    time: 'time',
    key: [['deduplicationId'], ['fCnt', 'time'], ['time']],
    battery: 'batteryLevel',
    battery_unknown: ['batteryLevelUnavailable', 'externalPowerSource'],
  },
  {
    // Milesight UG65 and UG56
    device: 'devEUI',
    data: 'data',
    port: 'fPort',
    object: 'object',
    time: 'time',
    key: [['fCnt', 'time'], ['fCnt']],
  },
];

/** The envelopes of a message: itself, or each element of an array. */
export function envelopesIn(message: unknown): readonly unknown[] {
  return Array.isArray(message) ? message : [message];
}

/**
 * @throws NotThisDevice where the message is of no network server known here.
 * @throws an Error where the payload is no base64.
 */
export function openEnvelope(message: unknown): Uplink {
  const scope = outermostScope(message);
  const read = (path: string) => getter(path)(scope);
  const shape = shapes.find(({ device }) => typeof read(device) === 'string');
  if (shape === undefined) throw new NotThisDevice('no envelope of a LoRaWAN network server');
  const port = read(shape.port) ?? 0;
  const data = read(shape.data);
  const parts = shape.key
    .map((paths) => paths.map(read))
    .find((values) => values.every((value) => value !== undefined && value !== null));
  return {
    device: String(read(shape.device)),
    bytes: typeof data === 'string' && data !== '' ? base64(data) : null,
    port: typeof port === 'number' ? port : 0,
    object: read(shape.object),
    time: read(shape.time),
    key: parts === undefined ? null : parts.map(String).join('|'),
    battery_pct: batteryOf(shape, read),
  };
}

/** Null: the network says that nobody knows. */
function batteryOf(
  { battery, battery_unknown = [] }: Shape,
  read: (path: string) => unknown,
): unknown {
  if (battery === undefined) return undefined;
  return battery_unknown.some((path) => read(path) === true) ? null : read(battery);
}

function base64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new Error('the payload is no base64');
  return Buffer.from(text, 'base64');
}
