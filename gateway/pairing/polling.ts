/** What the polled sources have to ask for, from the paired sensors and their profiles. Pure. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Profile } from '../profiles/profile.ts';
import { bodyBytes, encodeFrame } from '../sources/frame-encoding.ts';
import type { Framing } from '../sources/framing.ts';
import type { ModbusPoll } from '../sources/modbus-blocks.ts';
import type { SerialPoll, SerialWork } from '../sources/serial.ts';
import type { PairedSensor } from './sensor-registry.ts';

type Transport = Profile['transport'];
/** As much of a sensor as its line needs to know. */
type OnLine = Pick<PairedSensor, 'profile' | 'address'> & {
  readonly sensor: Pick<PairedSensor['sensor'], 'unit'>;
};
type SerialPollLink = NonNullable<NonNullable<Profile['serial']>['poll']>;

/**
 * Which transports' profiles each kind of source can feed. A message is the same whether MQTT or
 * HTTP brought it.
 */
export const transportsOf = {
  'mqtt-listen': ['mqtt', 'http'],
  'mqtt-connect': ['mqtt', 'http'],
  'http-listen': ['http', 'mqtt'],
  'modbus-tcp': ['modbus'],
  'modbus-rtu': ['modbus'],
  'modbus-rtu-tcp': ['modbus'],
  serial: ['serial'],
} as const satisfies Record<string, readonly Transport[]>;

export function modbusPolls(sensors: readonly PairedSensor[]): ModbusPoll[] {
  return sensors.flatMap(({ sensor, profile, address }) => {
    const { modbus } = profile;
    if (modbus === undefined || sensor.unit === undefined) return [];
    const { function: code, count, every_ms, timeout_ms } = modbus;
    const start = sensor.register ?? modbus.register;
    return [{ address, unit: sensor.unit, function: code, start, count, every_ms, timeout_ms }];
  });
}

/** One line has one speed and one framing, so all its sensors share their profile's link. */
export function serialWork(sensors: readonly OnLine[]): SerialWork | null {
  const [first] = sensors;
  const link = first?.profile.serial;
  if (link === undefined) return null;
  const { baud, data_bits, parity, stop_bits, framing, poll, turnaround_ms } = link;
  const polls =
    poll === undefined ? [] : sensors.map((paired) => serialPoll(framing, poll, paired));
  return { settings: { baud, data_bits, parity, stop_bits }, framing, polls, turnaround_ms };
}

/**
 * Sensors on one serial line must agree about the line.
 *
 * @throws FootbridgeError sensor_conflict
 */
export function assertOneLink(sensors: readonly PairedSensor[]): void {
  const profiles = new Set(sensors.map(({ profile }) => profile.name));
  if (profiles.size > 1) {
    const detail = `one serial line cannot speak ${[...profiles].join(' and ')}`;
    throw new FootbridgeError('sensor_conflict', detail);
  }
}

function serialPoll(
  framing: Framing,
  poll: SerialPollLink,
  { sensor, address }: OnLine,
): SerialPoll {
  const { every_ms, timeout_ms, answer_begins } = poll;
  const unit = (sensor.unit ?? 0).toString(16).toUpperCase().padStart(poll.unit_digits, '0');
  const written = (template: string) => template.replaceAll('{unit}', unit);
  return {
    address,
    request: encodeFrame(framing, written(poll.request)),
    every_ms,
    timeout_ms,
    ...(answer_begins === undefined
      ? {}
      : { answer_prefix: bodyBytes(framing, written(answer_begins)) }),
  };
}
