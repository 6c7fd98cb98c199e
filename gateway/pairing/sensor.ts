/** A paired sensor: which device, behind which source, read by which profile. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { sensorIdSchema, text } from '../../shared/wire/names.ts';
import { directions } from '../meters/direction.ts';
import { recordMappings } from '../profiles/mapping-schema.ts';
import type { Profile } from '../profiles/profile.ts';
import { addressOfTopic } from '../profiles/sparkplug-topic.ts';
import type { Login } from '../sources/access.ts';
import { line_address } from '../sources/source.ts';

export const sensorSchema = z.strictObject({
  /** Leaves room for the lines and zones behind it: HQ keeps ids of 100 characters. */
  sensor_id: sensorIdSchema.max(50),
  /** What people call it. */
  name: text(255).min(1),
  profile: z.string().min(1),
  /** Name of the source in the configuration. */
  source: z.string().min(1),
  /** MQTT: the topic the device publishes to. */
  topic: z
    .string()
    .min(1)
    .max(1000)
    .refine((topic) => !/[#+]/.test(topic), { error: 'a sensor has one topic, without + or #' })
    .transform(addressOfTopic)
    .optional(),
  /** HTTP: the path that the device posts to, or `device/ID` where the source knows it by its id. */
  path: z
    .string()
    .regex(/^(\/|device\/.)[^?#]*$/, { error: 'use a path such as /counters/door, or device/ID' })
    .max(1000)
    .optional(),
  /** Hash of the sensor's own login, whose name is the sensor_id; nobody else can then speak for it. */
  secret_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** What Digest is checked with, for devices that know no other login. */
  secret_digest: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** Serial and Modbus: the device's number on the line. */
  unit: z.number().int().min(0).max(65_535).optional(),
  /** Modbus: first register, zero-based, where it differs from the profile's. */
  register: z.number().int().min(0).max(65_535).optional(),
  /** Name by which the device calls itself inside its messages, where several share a topic. */
  device: z.string().min(1).max(100).optional(),
  /** How the counter is mounted. */
  direction: z.enum(directions).default('as-is'),
  /** What people call its zones; HQ says it. */
  regions: z
    .array(
      z.strictObject({ region_id: z.string().min(1).max(100), name: z.string().min(1).max(255) }),
    )
    .max(1_000)
    .optional(),
  /** How many devices have counted for this sensor before; missing for the first. */
  replaced: z.number().int().min(1).max(1_000_000).optional(),
});

export type Sensor = z.infer<typeof sensorSchema>;

/**
 * The address under which the sensor's frames arrive from its source.
 *
 * @throws FootbridgeError sensor_invalid when the profile's transport needs what the sensor lacks.
 */
export function addressOf(sensor: Sensor, profile: Profile): string {
  const missing = (option: string) =>
    new FootbridgeError('sensor_invalid', `profile ${profile.name} needs --${option}`);
  if (profile.transport === 'mqtt' || profile.transport === 'http') {
    const address = sensor.topic ?? sensor.path;
    if (address === undefined) throw missing(profile.transport === 'mqtt' ? 'topic' : 'path');
    return sensor.device === undefined ? address : deviceAddress(address, sensor.device);
  }
  if (speaksAlone(profile)) return line_address;
  if (sensor.unit === undefined) throw missing('unit');
  return profile.transport === 'serial'
    ? unitAddress(sensor.unit)
    : registerAddress(sensor.unit, sensor.register ?? profile.modbus?.register ?? 0);
}

/** A device that speaks unasked and names no unit has its line for itself. */
function speaksAlone({ serial, mapping }: Profile): boolean {
  return serial !== undefined && serial.poll === undefined && mapping.unit_path === undefined;
}

/**
 * Names the device and how it is mounted, for the meter: totals are compared with no other's. Short,
 * because every commit of the meter carries it.
 */
export function meteredDevice(sensor: Sensor, address: string): string {
  const { replaced = 0, direction, source, profile } = sensor;
  const named = JSON.stringify([replaced, direction, source, address, profile]);
  return createHash('sha256').update(named).digest('base64url').slice(0, 8);
}

/** A new device numbers its messages from the start again: they are none of the old one's. */
export function keyOfDevice(
  { replaced }: { readonly replaced?: number | undefined },
  dedupe_key: string | null,
): string | null {
  return replaced === undefined || dedupe_key === null ? dedupe_key : `${replaced}:${dedupe_key}`;
}

/** The logins of sensors that have one, each for its own address. */
export function loginsOf(
  sensors: readonly { readonly sensor: Sensor; readonly address: string }[],
): Login[] {
  return sensors.flatMap(({ sensor, address }) => {
    const { sensor_id: username, secret_sha256, secret_digest, topic, path } = sensor;
    const addresses = [topic ?? path ?? address];
    return secret_sha256 === undefined
      ? []
      : [{ username, secret_sha256, secret_digest, addresses }];
  });
}

/** A device among several on one topic; devices write their names in upper and lower case. */
export function deviceAddress(topic: string, device: string): string {
  return `${topic} device/${device.toLowerCase()}`;
}

export function unitAddress(unit: number): string {
  return `unit/${unit}`;
}

function registerAddress(unit: number, register: number): string {
  return `unit/${unit}/register/${register}`;
}

/** Whether the sensor says how many crossed a line or how many are in a zone. */
export function kindOf(profile: Profile): 'line' | 'zone' {
  const measures = recordMappings(profile.mapping).flatMap((record) => record.measures);
  const line = measures.some(({ target }) => ['in', 'out', 'passages'].includes(target));
  return line ? 'line' : 'zone';
}

/** Whether the device tells in from out; one that counts passages is told by how it is mounted. */
export function tellsDirection(profile: Profile): boolean {
  const measures = recordMappings(profile.mapping).flatMap((record) => record.measures);
  return measures.some(({ target }) => target === 'in' || target === 'out');
}
