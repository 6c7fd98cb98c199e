import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { modbusPolls, serialWork } from '../../../gateway/pairing/polling.ts';
import { addressOf, type Sensor } from '../../../gateway/pairing/sensor.ts';
import type { PairedSensor } from '../../../gateway/pairing/sensor-registry.ts';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';

const folder = fileURLToPath(new URL('../../../../gateway/profiles/built-in', import.meta.url));
const catalogue = loadCatalogue([folder]);

function paired(
  profile_name: string,
  sensor: Pick<Sensor, 'unit'> & Partial<Sensor>,
): PairedSensor {
  const profile = profileNamed(catalogue, profile_name);
  const whole = {
    sensor_id: 'door',
    name: 'door',
    profile: profile_name,
    source: 'line',
    direction: 'as-is' as const,
    ...sensor,
  };
  return {
    sensor: whole,
    profile,
    address: addressOf(whole, profile),
    presence_topic: null,
    metered_device: '',
  };
}

test('an HPC168 is asked with the bytes of its published request', () => {
  const work = serialWork([paired('hpc168', { unit: 1 })]);
  expect(Buffer.from(work?.polls[0]?.request ?? []).toString('hex')).toBe(
    '023030303131333030313403',
  );
});

test('its answer must begin with its own number and the answer’s command', () => {
  const work = serialWork([paired('hpc168', { unit: 0x1a })]);
  expect(Buffer.from(work?.polls[0]?.answer_prefix ?? []).toString('hex')).toBe('001a93');
});

test('two doors on one pulse counter are two blocks of registers', () => {
  const polls = modbusPolls([
    paired('modbus-counter-16', { unit: 5 }),
    paired('modbus-counter-16', { unit: 5, register: 2 }),
  ]);
  expect(polls).toMatchObject([
    { address: 'unit/5/register/0', unit: 5, function: 4, start: 0, count: 2 },
    { address: 'unit/5/register/2', unit: 5, function: 4, start: 2, count: 2 },
  ]);
});

test('a line without sensors has no work', () => {
  expect(serialWork([])).toBeNull();
});
