/** What stays of a sensor when it is paired again, and whether it is the same device. Pure. */
import type { Sensor } from './sensor.ts';

/** Where the person says nothing: a name, and how the same device is mounted. */
export function keptOf(before: Sensor | undefined, said: Partial<Sensor>): Partial<Sensor> {
  if (before === undefined) return { name: said.sensor_id ?? '' };
  const { name, direction } = before;
  return isSameDevice(before, said) ? { name, direction } : { name };
}

/** A login lives until its sensor is unpaired. */
export function loginOf(before: Sensor | undefined): Partial<Sensor> {
  const { secret_sha256, secret_digest } = before ?? {};
  return {
    ...(secret_sha256 !== undefined && { secret_sha256 }),
    ...(secret_digest !== undefined && { secret_digest }),
  };
}

const identity = ['source', 'profile', 'topic', 'path', 'unit', 'register', 'device'] as const;

export function isSameDevice(one: Partial<Sensor>, other: Partial<Sensor>): boolean {
  return identity.every((field) => one[field] === other[field]);
}
