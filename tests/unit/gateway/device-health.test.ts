import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';
import { decode } from '../../../gateway/profiles/decode.ts';
import { mappingSchema } from '../../../gateway/profiles/mapping-schema.ts';
import { Sightings } from '../../../gateway/sightings.ts';

const folder = fileURLToPath(new URL('../../../../gateway/profiles/built-in', import.meta.url));
const catalogue = loadCatalogue([folder]);
const healthIn = (profile: string, hex: string, port?: number) => {
  const options = port === undefined ? {} : { port };
  const decoded = decode(profileNamed(catalogue, profile), Buffer.from(hex, 'hex'), options);
  return 'health' in decoded ? decoded.health : undefined;
};

describe('what a device says about itself', () => {
  it('is the charge of its weakest battery, and nothing where it does not know', () => {
    expect(healthIn('milesight-vs360', '01755a027514', 85)).toEqual({ battery_pct: 20 });
    expect(healthIn('milesight-vs360', '0175ff027514', 85)).toEqual({ battery_pct: 20 });
    expect(healthIn('milesight-vs360', '0175ff0275ff', 85)).toBeUndefined();
  });

  it('is the last word about a fault, where a message holds several', () => {
    expect(healthIn('milesight-vs360', '03f4020103f40200', 85)).toEqual({
      faults: { misaligned: false },
    });
  });

  it('comes in messages that count nobody', () => {
    const json = (text: string) => Buffer.from(text).toString('hex');
    const said = '{"battery": 41, "battery_low": false, "tamper": true, "action": ""}';
    expect(healthIn('zigbee2mqtt-button', json(said))).toEqual({
      battery_pct: 41,
      faults: { battery_low: false, tampered_with: true },
    });
  });

  it('comes beside counts as well as without them', () => {
    const counts = '000000c8000001c800';
    expect(healthIn('terabee-l-xl', counts, 1)).toEqual({
      faults: { stopped: false, stuck: false, several_devices: false },
    });
    expect(healthIn('terabee-l-xl', '000000c8000001c8', 1)).toBeUndefined();
  });

  it('is kept by the sensor until the device says otherwise', () => {
    const sightings = new Sightings();
    sightings.told('door', { battery_pct: 80, faults: { stuck: true, stopped: false } });
    sightings.seen('door', 2);
    sightings.told('door', { faults: { stopped: true } });
    expect(sightings.of('door')).toMatchObject({
      last_seen_at: 2,
      battery_pct: 80,
      faults: { stuck: true, stopped: true },
    });
  });

  it('is refused in a profile that does not say what the fault is, or says it twice', () => {
    const where = { path: 'light', exists: true };
    const equals = { path: 'light', equals: 'OK' };
    const measures = [{ target: 'in', path: 'in', semantics: 'delta' }];
    const fits = (fault: object) =>
      mappingSchema.safeParse({ measures, health: { faults: [fault] } }).success;
    expect(fits({ fault: 'dark', where, unless: equals })).toBe(true);
    expect(fits({ fault: 'dark', where })).toBe(false);
    expect(fits({ fault: 'dark', where, holds: equals, unless: equals })).toBe(false);
    expect(fits({ fault: 'Too dark', where, holds: equals })).toBe(false);
  });
});
