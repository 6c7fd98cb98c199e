/**
 * A sensor as a program of its own, to be run in the network of a booted Debian: `people.js FIRST COUNT`
 * tells of one minute each, three people in and one out, and ends when each was acknowledged.
 */
import mqtt from 'mqtt';
import { systemClock } from '../../shared/runtime/clock.ts';

const [first, count] = process.argv.slice(2).map(Number);
const client = await mqtt.connectAsync('mqtt://127.0.0.1:1883');
const minute_ms = 60_000;
const now = Math.floor(systemClock.now() / minute_ms) * minute_ms;
for (let id = first ?? 0; id < (first ?? 0) + (count ?? 0); id += 1) {
  const at = (minutes: number) => new Date(now - minutes * minute_ms).toISOString();
  const message = { id, from: at(id + 1), to: at(id), in: 3, out: 1 };
  await client.publishAsync('counters/front-door', JSON.stringify(message), { qos: 1 });
}
await client.endAsync();
