/** How much an MQTT 5 device may send ahead of its acknowledgements: the gateway says it in CONNACK. */
import { connect } from 'node:net';
import mqtt, { type IConnackPacket } from 'mqtt';
import { generate } from 'mqtt-packet';
import { expect, test } from 'vitest';
import { MqttListenSource } from '../../gateway/sources/mqtt-listen.ts';
import type { Accept } from '../../gateway/sources/source.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { mosquitto, testWith } from '../support/debian-part.ts';
import { eventually } from '../support/frames.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
/** As the gateway says it. */
const receive_maximum = 1_000;

async function listen(accept: Accept): Promise<MqttListenSource> {
  const options = { host: '127.0.0.1', port: 0, clock: systemClock, log: silentLog };
  const source = new MqttListenSource({ ...options, name: 'sensors', accept });
  await source.start();
  workspace.onEnd(() => source.stop());
  await eventually('listening', () => source.status().state === 'running');
  return source;
}

test.each(['door', ''])('an MQTT 5 device with the id %j hears it', async (clientId) => {
  const { port } = await listen(async () => {});
  const device = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId });
  workspace.onEnd(() => device.endAsync(true));
  const connack = await new Promise<IConnackPacket>((heard) => device.once('connect', heard));
  expect(connack.properties?.receiveMaximum).toBe(receive_maximum);
});

test('a device that speaks MQTT 3.1.1 hears the four bytes that it knows', async () => {
  const { port } = await listen(async () => {});
  const device = connect(port, '127.0.0.1');
  workspace.onEnd(() => device.destroy());
  const bytes: Buffer[] = [];
  device.on('data', (chunk) => bytes.push(chunk));
  device.write(generate({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door' }));
  device.write(generate({ cmd: 'pingreq' }));
  await eventually('the ping is answered', () => Buffer.concat(bytes).length >= 6);
  expect(Buffer.concat(bytes).toString('hex')).toBe('20020000d000');
});

testWith(mosquitto, 'a broker that passes its backlog on waits instead of being cut', async () => {
  // More than a device may have under way; without the first thousand, less.
  const backlog = 10_900;
  const disk = new HeldDisk();
  const { port } = await listen(disk.accept);
  const broker = await startMosquitto(workspace, [
    'max_queued_messages 0',
    'max_inflight_messages 0',
    'connection gateway',
    `address 127.0.0.1:${port}`,
    'bridge_protocol_version mqttv50',
    'notifications false',
    'try_private false',
    'topic counters/# out 1',
  ]);
  const sensor = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`);
  workspace.onEnd(() => sensor.endAsync(true));
  // What it has before it hears the CONNACK, it sends all the same.
  await sensor.publishAsync('counters/door', 'first', { qos: 1 });
  await eventually('it has let itself in', () => disk.frames.length === 1);
  disk.commit();
  const numbers = Array.from({ length: backlog }, (_, i) => String(i));
  await Promise.all(numbers.map((n) => sensor.publishAsync('counters/door', n, { qos: 1 })));
  await eventually('its window is used', () => disk.frames.length > receive_maximum);
  expect(disk.frames).toHaveLength(1 + receive_maximum);
  // Mosquitto overruns the window once acknowledgements flow, as where the gateway is its client.
  await eventually('all are there', () => {
    disk.commit();
    return disk.frames.length > backlog;
  });
  const heard = disk.frames.map(({ bytes }) => Buffer.from(bytes).toString());
  expect(heard).toEqual(['first', ...numbers]);
});
