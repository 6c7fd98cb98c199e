import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDurable } from '../../../gateway/doctor/broker-evidence.ts';
import { diskWarnings } from '../../../gateway/doctor/diagnose-machine.ts';
import type { Evidence } from '../../../gateway/doctor/evidence.ts';
import { editDistance, likeliest } from '../../../gateway/doctor/likeness.ts';
import { wornPercent } from '../../../gateway/doctor/machine-evidence.ts';
import { noiseCause } from '../../../gateway/doctor/network-cause.ts';
import { Workspace } from '../../support/workspace.ts';

const workspace = new Workspace();

test('the distance of two addresses is symmetric, and none only to itself', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      const slips = editDistance(one, other);
      expect(slips).toBe(editDistance(other, one));
      expect(slips === 0).toBe(one === other);
      expect(slips).toBeLessThanOrEqual(Math.max([...one].length, [...other].length, 0) * 2);
    }),
  );
});

test.each([
  ['counters/door', ['Counters/Door'], 'Counters/Door'],
  ['counters/door', ['/counters/door'], '/counters/door'],
  ['counters/door', ['counters/dor', 'other'], 'counters/dor'],
  ['counters/door', ['counters/back-door'], null],
  ['counters/door', [], null],
])('%s is meant by one of %j: %s', (wanted, heard, meant) => {
  expect(likeliest(wanted, heard)).toBe(meant);
});

test('zeros are a line upside down, anything else another speed', () => {
  expect(noiseCause('00')).toBe('line_swapped');
  expect(noiseCause('000000ff00')).toBe('line_swapped');
  expect(noiseCause('f81c9e00')).toBe('line_garbled');
});

test('a disk with little room, worn, or in memory is told before it stops counting', () => {
  const disk = { total_bytes: 2 ** 33, set_aside: [], volatile: 'tmpfs', worn_percent: 90 };
  const codes = (free_bytes: number, rest: object) =>
    diskWarnings({ disk: { ...disk, ...rest, free_bytes } } as unknown as Evidence).map(
      ({ code }) => code,
    );
  expect(codes(2 ** 20, {})).toEqual(['disk_filling', 'disk_worn', 'disk_volatile']);
  expect(codes(2 ** 32, { volatile: null, worn_percent: 50 })).toEqual([null]);
});

test('flash tells its age in tenths, the older of its two kinds counts', () => {
  const sys = workspace.folder();
  expect(wornPercent(sys)).toBeNull();
  mkdirSync(join(sys, 'block/mmcblk0/device'), { recursive: true });
  expect(wornPercent(sys)).toBeNull();
  writeFileSync(join(sys, 'block/mmcblk0/device/life_time'), '0x03 0x09\n');
  expect(wornPercent(sys)).toBe(90);
});

test('a broker keeps what it acknowledged only with its state saved at once', () => {
  expect(isDurable({})).toBe(false);
  expect(isDurable({ persistence: 'true' })).toBe(false);
  expect(isDurable({ persistence: 'true', autosave_interval: '0' })).toBe(false);
  expect(isDurable({ persistence: 'true', autosave_interval: '1' })).toBe(true);
});
