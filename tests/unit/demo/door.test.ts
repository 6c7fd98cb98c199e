import { expect, test } from 'vitest';
import { Door, quarter_hour_ms } from '../../../demo/door.ts';
import { manualClock } from '../../support/manual-clock.ts';

const start = Date.parse('2025-03-01T09:50:00.000Z');

/** Lets people walk for an hour; returns who crossed, and the door. */
function walkAnHour(seed: number) {
  const clock = manualClock(start);
  const crossings: { direction: 'in' | 'out'; at: number }[] = [];
  const door = new Door({
    sensor_id: 'front-door',
    seed,
    rate_per_min: 60,
    clock,
    onCross: (direction, at) => crossings.push({ direction, at }),
  });
  door.open();
  clock.advance(4 * quarter_hour_ms);
  return { crossings, door, clock };
}

test('the same seed gives the same people, another seed others', () => {
  expect(walkAnHour(7).crossings).toEqual(walkAnHour(7).crossings);
  expect(walkAnHour(7).crossings).not.toEqual(walkAnHour(8).crossings);
});

test('people come at about the given rate, and both ways', () => {
  const { crossings } = walkAnHour(7);
  expect(crossings.length).toBeGreaterThan(2_500);
  expect(crossings.length).toBeLessThan(3_700);
  expect(crossings.filter((crossing) => crossing.direction === 'out').length).toBeGreaterThan(500);
});

test('no two people cross in the same tenth of a second', () => {
  const { crossings } = walkAnHour(7);
  const gaps = crossings.slice(1).map(({ at }, i) => at - (crossings[i]?.at ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
});

test('the truth is the sum of the crossings, in total and for each quarter hour', () => {
  const { crossings, door } = walkAnHour(7);
  const within = (from: number, to: number, direction: 'in' | 'out') =>
    crossings.filter((one) => one.at >= from && one.at < to && one.direction === direction).length;
  const truth = door.truth();
  expect(truth).toMatchObject({
    sensor_id: 'front-door',
    in: within(0, Number.POSITIVE_INFINITY, 'in'),
    out: within(0, Number.POSITIVE_INFINITY, 'out'),
  });
  expect(Object.keys(truth.quarter_hours)[0]).toBe('2025-03-01T09:45:00.000Z');
  for (const [key, sums] of Object.entries(truth.quarter_hours)) {
    const from = Date.parse(key);
    expect(sums).toEqual({
      in: within(from, from + quarter_hour_ms, 'in'),
      out: within(from, from + quarter_hour_ms, 'out'),
    });
  }
});

test('after hold nobody walks, even if the door is opened again', () => {
  const { crossings, door, clock } = walkAnHour(7);
  const before = crossings.length;
  door.hold();
  door.open();
  clock.advance(quarter_hour_ms);
  expect(crossings).toHaveLength(before);
});
