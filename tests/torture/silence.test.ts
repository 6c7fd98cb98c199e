import { expect, test } from 'vitest';
import { watchSilence } from './silence.ts';

const { false_alarms_per_sensor_year, delay_min } = watchSilence(300, 1);

test('a working sensor is called blind less than once in ten years', () => {
  expect(false_alarms_per_sensor_year).toBeLessThan(0.1);
});

test('a sensor that dies in opening hours is called blind within 45 minutes on average', () => {
  expect(delay_min).toBeGreaterThan(5);
  expect(delay_min).toBeLessThan(45);
});
