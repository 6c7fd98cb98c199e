/** Nothing is delivered before HQ has taken a heartbeat: what it would refuse is refused where it is written. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configSchema } from '../../../gateway/config/config.ts';
import { sensorSchema } from '../../../gateway/pairing/sensor.ts';
import { SensorRegistry } from '../../../gateway/pairing/sensor-registry.ts';
import { loadCatalogue } from '../../../gateway/profiles/catalogue.ts';
import { profileSchema } from '../../../gateway/profiles/profile.ts';
import { root } from '../../rules/sources.ts';
import { Workspace } from '../../support/workspace.ts';

const workspace = new Workspace();
const catalogue = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
const tooLong = 'a'.repeat(101);

const source = (name: string) => ({ name, kind: 'mqtt-listen' });
const profile = (over: object, mapping: object = {}) => ({
  ...{ name: 'mine', title: 'Mine', transport: 'mqtt', codec: { kind: 'json' } },
  ...over,
  mapping: {
    measures: [{ target: 'in', path: 'in', semantics: 'delta' }],
    dedupe: ['id'],
    ...mapping,
  },
});
const fault = (number: number) => ({
  ...{ fault: `fault_${number}`, where: { path: 'a', exists: true } },
  holds: { path: 'a', equals: 1 },
});
const faults = (count: number) => Array.from({ length: count }, (_, number) => fault(number));
const sensor = (name: string) => ({ sensor_id: 'door', name, profile: 'mine', source: 'sensors' });

test.each([
  ['the name of a source', configSchema, (name: string) => ({ sources: [source(name)] })],
  ['the name of a profile', profileSchema, (name: string) => profile({ name })],
])('%s has 100 characters at most', (_what, schema, written) => {
  expect(schema.safeParse(written(tooLong.slice(1))).error).toBeUndefined();
  expect(schema.safeParse(written(tooLong)).error?.message).toContain('100');
});

test('a gateway has 100 sources at most', () => {
  const sources = Array.from({ length: 101 }, (_, number) => source(`source-${number}`));
  expect(configSchema.safeParse({ sources: sources.slice(1) }).success).toBe(true);
  expect(configSchema.safeParse({ sources }).success).toBe(false);
});

test('a device has 50 faults at most', () => {
  expect(
    profileSchema.safeParse(profile({}, { health: { faults: faults(50) } })).error,
  ).toBeUndefined();
  expect(profileSchema.safeParse(profile({}, { health: { faults: faults(51) } })).success).toBe(
    false,
  );
});

test('the name of a sensor is text that HQ can keep', () => {
  expect(sensorSchema.safeParse(sensor('Büro 🚪')).success).toBe(true);
  expect(sensorSchema.safeParse(sensor('half \ud83d')).success).toBe(false);
});

test('a gateway has 1,000 sensors at most, and says so when the next one is paired', () => {
  const path = join(workspace.folder(), 'sensors.json');
  const paired = (number: number) => ({
    ...{ sensor_id: `door-${number}`, name: `Door ${number}`, topic: `doors/${number}` },
    ...{ profile: 'json-interval', source: 'sensors' },
  });
  const sensors = Array.from({ length: 1_000 }, (_, number) => paired(number));
  writeFileSync(path, JSON.stringify({ sensors }));
  const registry = new SensorRegistry(path, catalogue);
  expect(() => registry.pair(paired(1_000), () => {})).toThrow(
    expect.objectContaining({ code: 'sensor_invalid', detail: expect.stringContaining('1000') }),
  );
  expect(new SensorRegistry(path, catalogue).list()).toHaveLength(1_000);
});

test('readings of polled counters end at quarter hours', () => {
  expect(configSchema.safeParse({ report_interval_s: 300 }).success).toBe(true);
  const wrong = configSchema.safeParse({ report_interval_s: 420 });
  expect(wrong.error?.message).toContain('quarter hour');
});
