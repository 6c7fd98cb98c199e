import { expect, test } from 'vitest';
import { Door } from '../../../demo/door.ts';
import { modbus_start } from '../../../demo/modbus-sensor.ts';
import { PolledCounter } from '../../../demo/polled-counter.ts';
import { manualClock } from '../../support/manual-clock.ts';

const quarter = Date.parse('2025-03-01T10:00:00.000Z');

/** A door with a counter that somebody reads each second while `isRead` says so. */
function walk(minutes: number, isRead: (now: number) => boolean) {
  const clock = manualClock(quarter - 10 * 60_000);
  const counter = new PolledCounter({ start: modbus_start, bits: 16, clock });
  const crossings: number[] = [];
  const readings: { at: number; in: number; out: number }[] = [];
  const door = new Door({
    sensor_id: 'front-door',
    seed: 7,
    rate_per_min: 120,
    clock,
    isOpen: (at) => counter.isOpen(at),
    onCross: (direction, at) => {
      counter.cross(direction);
      crossings.push(at);
    },
  });
  door.open();
  const read = () => {
    if (isRead(clock.now())) readings.push({ at: clock.now(), ...counter.read() });
    clock.after(1_000, read);
  };
  read();
  clock.advance(minutes * 60_000);
  return { crossings, readings };
}

test('nobody walks before the counter has been read three times', () => {
  const { crossings, readings } = walk(1, () => true);
  expect(crossings[0]).toBeGreaterThan(readings[2]?.at ?? 0);
  expect(readings.slice(0, 3)).toMatchObject([modbus_start, modbus_start, modbus_start]);
});

test('nobody walks from 5 s before a quarter hour until it has been read three times', () => {
  const isDown = (now: number) => now > quarter - 7_000 && now < quarter + 20_000;
  const { crossings, readings } = walk(12, (now) => !isDown(now));
  const before = crossings.filter((at) => at < quarter);
  const after = crossings.filter((at) => at >= quarter);
  expect(Math.max(...before)).toBeLessThan(quarter - 5_000);
  expect(Math.max(...before)).toBeGreaterThan(quarter - 7_000);
  expect(Math.min(...after)).toBeGreaterThan(
    readings.filter(({ at }) => at >= quarter)[2]?.at ?? Number.POSITIVE_INFINITY,
  );
});

test('a wrapping device never shows two zeros', () => {
  const { readings } = walk(14, () => true);
  expect(readings.filter((each) => each.in === 0).length).toBeGreaterThan(0);
  expect(readings.filter((each) => each.out === 0).length).toBeGreaterThan(0);
  expect(readings.filter((each) => each.in === 0 && each.out === 0)).toEqual([]);
});
