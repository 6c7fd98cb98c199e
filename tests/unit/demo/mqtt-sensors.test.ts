import { describe, expect, test } from 'vitest';
import { Door, quarter_hour_ms } from '../../../demo/door.ts';
import { MqttDeltaSensor } from '../../../demo/mqtt-delta-sensor.ts';
import { MqttTriggerSensor } from '../../../demo/mqtt-trigger-sensor.ts';
import { manualClock } from '../../support/manual-clock.ts';

interface Report {
  id: string;
  from: string;
  to: string;
  in: number;
  out: number;
}
interface Trigger {
  id: string;
  time: string;
  direction: 'in' | 'out';
}

function outbox<T>() {
  const topics = new Set<string>();
  const messages: T[] = [];
  return {
    topics,
    messages,
    publish: (topic: string, message: object) => {
      topics.add(topic);
      messages.push(message as T);
    },
    acknowledged: async () => {},
  };
}

const start = Date.parse('2025-03-01T09:50:01.234Z');

async function reportAnHour() {
  const clock = manualClock(start);
  const sent = outbox<Report>();
  const sensor = new MqttDeltaSensor({ sensor_id: 'front-door', publisher: sent, clock });
  const door = new Door({
    sensor_id: 'front-door',
    seed: 3,
    rate_per_min: 60,
    clock,
    onCross: (direction, at) => sensor.cross(direction, at),
  });
  sensor.start();
  door.open();
  clock.advance(4 * quarter_hour_ms);
  door.hold();
  await sensor.hold();
  return { sent, truth: door.truth() };
}

describe('the counter that reports every 5 s', () => {
  test('its intervals tile time, and none lies across a quarter hour', async () => {
    const { sent } = await reportAnHour();
    expect([...sent.topics]).toEqual(['counters/front-door']);
    expect(sent.messages[0]?.from).toBe('2025-03-01T09:50:01.234Z');
    for (const [i, report] of sent.messages.entries()) {
      expect(report.from).toBe(i === 0 ? report.from : sent.messages[i - 1]?.to);
      const [from, last] = [Date.parse(report.from), Date.parse(report.to) - 1];
      expect(last).toBeGreaterThanOrEqual(from);
      expect(Math.floor(from / quarter_hour_ms)).toBe(Math.floor(last / quarter_hour_ms));
    }
  });

  test('what it sent is the truth of the door, in every quarter hour', async () => {
    const { sent, truth } = await reportAnHour();
    const sums: Record<string, { in: number; out: number }> = {};
    for (const report of sent.messages) {
      const from = Date.parse(report.from);
      const key = new Date(from - (from % quarter_hour_ms)).toISOString();
      sums[key] ??= { in: 0, out: 0 };
      sums[key].in += report.in;
      sums[key].out += report.out;
    }
    expect(sums).toEqual(truth.quarter_hours);
  });

  test('its ids are unique and increasing', async () => {
    const ids = (await reportAnHour()).sent.messages.map((report) => report.id);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  test('a person who passes while its timer is late counts in the interval of that moment', () => {
    const clock = manualClock(start);
    const sent = outbox<Report>();
    const sensor = new MqttDeltaSensor({ sensor_id: 'front-door', publisher: sent, clock });
    sensor.cross('in', start + 100);
    sensor.cross('in', Date.parse('2025-03-01T09:50:11.000Z'));
    expect(sent.messages.map((report) => [report.to, report.in])).toEqual([
      ['2025-03-01T09:50:05.000Z', 1],
      ['2025-03-01T09:50:10.000Z', 0],
    ]);
  });
});

test('the trigger counter sends each crossing once, with its time', () => {
  const clock = manualClock(start);
  const sent = outbox<Trigger>();
  const sensor = new MqttTriggerSensor({ sensor_id: 'side-door', publisher: sent, clock });
  const door = new Door({
    sensor_id: 'side-door',
    seed: 3,
    rate_per_min: 60,
    clock,
    onCross: (direction, at) => sensor.cross(direction, at),
  });
  door.open();
  clock.advance(quarter_hour_ms);
  const count = (direction: string) =>
    sent.messages.filter((message) => message.direction === direction).length;
  expect({ in: count('in'), out: count('out') }).toMatchObject({
    in: door.truth().in,
    out: door.truth().out,
  });
  expect([...sent.topics]).toEqual(['triggers/side-door']);
  expect(new Set(sent.messages.map((message) => message.time)).size).toBe(sent.messages.length);
  expect(new Set(sent.messages.map((message) => message.id)).size).toBe(sent.messages.length);
});
