import { expect, test } from 'vitest';
import { tortureRtu } from './rtu.ts';
import { deadUnitShare } from './rtu-dead-unit.ts';
import { tortureModbusSerial } from './rtu-modbus-serial.ts';

test('of 20,000 answers of a bad line no value is taken for another register’s', async () => {
  const { by_fate, values, wrong, first_wrong } = await tortureRtu(20_000, 3);
  expect({ wrong, first_wrong }).toEqual({ wrong: 0, first_wrong: null });
  // Nothing is gained by believing nothing: good answers arrive, with two polls in some.
  expect(values).toBeGreaterThan(by_fate.good);
});

test('the same line shows a client that believes late answers', async () => {
  const { wrong } = await tortureModbusSerial(200, 3);
  expect(wrong).toBeGreaterThan(0);
});

test('a seed gives the same run again', async () => {
  expect(await tortureRtu(500, 7)).toEqual(await tortureRtu(500, 7));
});

test('one dead unit of 32 takes at most 2 % of bus time after its first timeout', async () => {
  const { share, slowest_beat_ms, beat_ms } = await deadUnitShare(1);
  expect(share).toBeGreaterThan(0.005);
  expect(share).toBeLessThanOrEqual(0.02);
  expect(slowest_beat_ms).toBeLessThan(beat_ms + 2_500);
});
