import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { test, vi } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { openRtuLine } from '../support/rtu-unit.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

/** A running store with one sensor at the topic `counters/door`. */
async function store(sensor: object = {}): Promise<DoctoredStore> {
  const made = new DoctoredStore(workspace).enrolled();
  made.profile('hasty', `${totals}silent_after_s: 1\n`);
  made.sensors({ profile: 'json-total', topic: 'counters/door', ...sensor });
  await made.listening();
  await made.run();
  return made;
}

const isoNow = () => new Date(systemClock.now()).toISOString();

const totals = `transport: mqtt
codec: { kind: json }
mapping:
  measures:
    - { target: in, path: in, semantics: cumulative, width: unbounded }
    - { target: out, path: out, semantics: cumulative, width: unbounded }
`;

test('no sensor at all', async () => {
  const made = await new DoctoredStore(workspace).enrolled().listening();
  await made.run();
  await made.expectFirst('no_sensors', /none/);
});

test('a topic with nothing on it', async () => {
  const made = await store({ profile: 'hasty' });
  await made.expectFirst('topic_silent', /nothing at sensors counters\/door for \d+ s/);
});

test('a topic that the device writes otherwise, with the command that pairs it', async () => {
  const made = await store();
  await made.publish('Counters/door', { in: 1, out: 1 });
  await made.expectFirst('topic_misspelt', /"Counters\/door" is heard/);
});

test('a sensor that stopped', async () => {
  const made = await store({ profile: 'hasty' });
  await made.publish('counters/door', { in: 1, out: 1 });
  await made.expectFirst('sensor_silent', /1 s are normal/);
});

test('a device whose last will says that it is gone', async () => {
  const made = await store({ profile: 'zigbee2mqtt-zone' });
  await made.publish('counters/door/availability', { state: 'offline' });
  await made.expectFirst('sensor_offline', /said to be gone \d+ s ago/);
});

test('the ghost of a dead device: a message that the broker had kept', async () => {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(
    () => new Promise<void>((done) => broker.close(() => server.close(() => done()))),
  );
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const device = await mqtt.connectAsync(url);
  await device.publishAsync('door', '{"in": 1, "out": 1}', { qos: 1, retain: true });
  await device.endAsync();

  const made = new DoctoredStore(workspace).enrolled();
  made.sensors({ source: 'building', profile: 'json-total', topic: 'door' });
  made.configure({ sources: [{ name: 'building', kind: 'mqtt-connect', url }] });
  await made.run();
  await made.expectFirst('retained_only', /1 stored copies/);
});

test('messages that one other profile reads', async () => {
  const made = await store();
  await made.publish('counters/door', { id: 7, direction: 'in', time: isoNow() });
  await made.expectFirst('profile_wrong', /json-crossing would read it/);
});

test('messages that no profile reads', async () => {
  const made = await store();
  await made.publish('counters/door', { battery: 'low' });
  await made.expectFirst('profile_unfit', /value_missing/);
});

test('messages that several other profiles read', async () => {
  const made = await store({ profile: 'json-zone' });
  for (const name of ['own-a', 'own-b']) made.profile(name, totals);
  await made.publish('counters/door', { in: 3, out: 1 });
  await made.expectFirst('profile_ambiguous', /json-total.*own-a, own-b would read it/);
});

test('the words of a register in the wrong order: each person is 65,536', async () => {
  let people = 0;
  const line = openRtuLine((_unit, _start, count) => {
    people += 0.2;
    const low = Math.floor(people);
    return count === 4 ? [low, 0, low, 0] : null;
  });
  workspace.onEnd(() => line.terminal.close());
  const made = new DoctoredStore(workspace).enrolled();
  made.profile(
    'swift',
    `transport: modbus
modbus: { function: 4, register: 0, count: 4, every_ms: 50, timeout_ms: 500 }
codec:
  kind: registers
  fields:
    - { name: in, at: 0, type: u32, word_order: high_first }
    - { name: out, at: 2, type: u32, word_order: high_first }
mapping:
  measures:
    - { target: in, path: in, semantics: cumulative, width: 32 }
    - { target: out, path: out, semantics: cumulative, width: 32 }
`,
  );
  made.sensors({ source: 'line', profile: 'swift', unit: 5 });
  made.configure({ sources: [{ name: 'line', kind: 'modbus-rtu', path: line.path, baud: 9600 }] });
  await made.run();
  await made.expectFirst('values_leap', /\d+ leaps/);
});

test('a device whose clock stands in another year', async () => {
  const made = await store();
  await made.publish('counters/door', { in: 1, out: 1, time: '2012-01-01T00:00:00Z' });
  await made.publish('counters/door', { in: 2, out: 1, time: '2012-01-01T00:01:00Z' });
  await made.expectFirst('device_clock', /\d times/);
});

test('messages of somebody whom nobody paired', async () => {
  const made = await store();
  await made.publish('counters/door', { in: 1, out: 1 });
  await made.publish('elsewhere/entirely', { in: 1, out: 1 });
  await made.expectFirst('quarantined', /1 of sensors for unknown_address/);
});
