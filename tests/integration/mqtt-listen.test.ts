import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import mqtt from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import { secretHash } from '../../gateway/sources/access.ts';
import { MqttListenSource } from '../../gateway/sources/mqtt-listen.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from '../support/frames.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { mqttClient } from '../support/mqtt-client.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** A device that says just what the test says. */
function rawDevice(port: number) {
  const socket = connect(port, '127.0.0.1');
  workspace.onEnd(() => {
    socket.destroy();
  });
  const heard: string[] = [];
  const packets = parser();
  packets.on('packet', ({ cmd }) => heard.push(cmd));
  socket.on('data', (bytes) => packets.parse(bytes));
  socket.on('error', () => {});
  return {
    heard,
    send: (packet: Packet) => socket.write(generate(packet)),
    isClosed: () => socket.closed || socket.readableEnded,
  };
}

describe('the gateway as the broker', () => {
  async function listen(disk: HeldDisk, port = 0): Promise<MqttListenSource> {
    const source = new MqttListenSource({
      name: 'sensors',
      host: '127.0.0.1',
      port,
      accept: disk.accept,
      clock: systemClock,
      log: silentLog,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('listening', () => source.status().state === 'running');
    return source;
  }

  test('a sensor’s PUBACK waits for the commit', async () => {
    const disk = new HeldDisk();
    const sensor = await mqttClient(workspace, (await listen(disk)).port, 'door');
    let acknowledged = false;
    const published = sensor.publishAsync('counters/door', '1', { qos: 1 }).then(() => {
      acknowledged = true;
    });
    await eventually('the frame arrives', () => disk.frames.length === 1);
    await systemClock.sleep(100);
    expect(acknowledged).toBe(false);
    disk.commit();
    await published;
  });

  test('one sensor that waits for the disk does not hold up the next', async () => {
    const disk = new HeldDisk();
    const { port } = await listen(disk);
    const [slow, fast] = [
      await mqttClient(workspace, port, 'slow'),
      await mqttClient(workspace, port, 'fast'),
    ];
    slow.publish('slow', '1', { qos: 1 });
    await eventually('slow waits', () => disk.frames.length === 1);
    const published = fast.publishAsync('fast', '1', { qos: 1 });
    await eventually('fast arrives', () => disk.topics.includes('fast'));
    disk.commit(1);
    await published;
    disk.commit();
  });

  test('what was not acknowledged when the gateway went down is sent again when it is back', async () => {
    const disk = new HeldDisk();
    const first = await listen(disk);
    const { port } = first;
    const sensor = await mqttClient(workspace, port, 'door');
    const published = sensor.publishAsync('counters/door', '1', { qos: 1 });
    await eventually('the frame arrives', () => disk.frames.length === 1);
    await first.stop();

    const after = new HeldDisk();
    await listen(after, port);
    await eventually('it arrives again', () => after.frames.length === 1);
    after.commit();
    await published;
  });

  test('a message of a megabyte becomes a fault that shows its size, and the source goes on', async () => {
    const disk = new HeldDisk();
    const sensor = await mqttClient(workspace, (await listen(disk)).port, 'door');
    sensor.publish('counters/door', Buffer.alloc(1_000_000), { qos: 1 });
    sensor.publish('counters/door', 'small', { qos: 1 });
    await eventually('both arrive', () => disk.frames.length === 2);
    expect(disk.frames[0]?.fault).toMatchObject({ reason: 'too_large' });
    expect(disk.frames[0]?.fault?.detail).toContain('1000000');
    expect(disk.frames[1]?.fault).toBeUndefined();
    disk.commit();
  });

  test('bytes that are no MQTT end that connection and no other', async () => {
    const disk = new HeldDisk();
    const { port } = await listen(disk);
    const sensor = await mqttClient(workspace, port, 'door');
    const stranger = connect(port, '127.0.0.1').end('GET / HTTP/1.0\r\n\r\n');
    await once(stranger, 'close');
    const published = sensor.publishAsync('counters/door', '1', { qos: 1 });
    await eventually('the frame arrives', () => disk.frames.length === 1);
    disk.commit();
    await published;
  });

  test('while the disk fails no more than eight megabytes wait in memory', async () => {
    const disk = new HeldDisk();
    const { port } = await listen(disk);
    const device = rawDevice(port);
    device.send({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door' });
    await eventually('let in', () => device.heard.at(-1) === 'connack');
    const payload = Buffer.alloc(200_000);
    const message = { cmd: 'publish', topic: 'c', payload, qos: 1, dup: false, retain: false };
    for (let messageId = 1; messageId <= 60; messageId += 1) {
      device.send({ ...message, messageId } as Packet);
    }
    await eventually('turned away', () => device.isClosed());
    const held = disk.frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    expect(held).toBeLessThan(8 * 1024 * 1024 + 2 * payload.length);
    disk.commit();
    const again = rawDevice(port);
    again.send({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door' });
    await eventually('let in', () => again.heard.at(-1) === 'connack');
    const before = disk.frames.length;
    again.send({ ...message, messageId: 61 } as Packet);
    await eventually('taken again', () => disk.frames.length > before);
  });

  test.each([3, 4, 5] as const)('speaks MQTT protocol level %i', async (protocolVersion) => {
    const disk = new HeldDisk();
    const { port } = await listen(disk);
    const legacy = protocolVersion === 3 ? { protocolId: 'MQIsdp' as const } : {};
    const url = `mqtt://127.0.0.1:${port}`;
    const sensor = await mqtt.connectAsync(url, { protocolVersion, ...legacy, clientId: 'door' });
    workspace.onEnd(() => sensor.endAsync(true));
    const published = sensor.publishAsync('counters/door', '1', { qos: 1 });
    await eventually('the frame arrives', () => disk.frames.length === 1);
    disk.commit();
    await published;
    // Refused, in words that the device understands, and the line stays open.
    await expect(sensor.subscribeAsync('commands/door')).rejects.toThrow();
    await sensor.publishAsync('counters/door', '2', { qos: 0 });
    await eventually('the next arrives', () => disk.frames.length === 2);
  });

  test('at QoS 2 the first acknowledgement waits for the commit, and a repeat counts once', async () => {
    const disk = new HeldDisk();
    const { port } = await listen(disk);
    const packets = rawDevice(port);
    packets.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'door' });
    await eventually('let in', () => packets.heard.at(-1) === 'connack');
    const twice = { cmd: 'publish', topic: 'c', payload: '1', qos: 2, messageId: 7 } as const;
    packets.send({ ...twice, dup: false, retain: false });
    packets.send({ ...twice, dup: true, retain: false });
    await eventually('the frame arrives', () => disk.frames.length === 1);
    expect(packets.heard).toEqual(['connack']);
    disk.commit();
    await eventually('both are acknowledged', () => packets.heard.length === 3);
    packets.send({ cmd: 'pubrel', messageId: 7 });
    await eventually('released', () => packets.heard.at(-1) === 'pubcomp');
    expect(packets.heard).toEqual(['connack', 'pubrec', 'pubrec', 'pubcomp']);
    expect(disk.frames).toHaveLength(1);
  });

  test('a device that says nothing for one and a half keep-alives is let go', async () => {
    const { port } = await listen(new HeldDisk());
    const packets = rawDevice(port);
    packets.send({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door', keepalive: 1 });
    await eventually('let in', () => packets.heard.at(-1) === 'connack');
    await eventually('let go', () => packets.isClosed(), 10_000);
  });

  test('a device that comes back takes the place of its dead connection, a stranger does not', async () => {
    const source = await listen(new HeldDisk());
    source.setLogins([{ username: 'door', secret_sha256: secretHash('pw'), addresses: ['c'] }]);
    const connection = { cmd: 'connect', protocolId: 'MQTT', clientId: 'door' } as const;
    const login = { username: 'door', password: Buffer.from('pw') };
    const enter = async (as: Partial<typeof login>) => {
      const device = rawDevice(source.port);
      device.send({ ...connection, ...as });
      await eventually('let in', () => device.heard.at(-1) === 'connack');
      return device;
    };
    const first = await enter(login);
    const stranger = await enter({});
    expect(first.isClosed()).toBe(false);
    const second = await enter(login);
    await eventually('the old one is closed', () => first.isClosed());
    expect([stranger.isClosed(), second.isClosed()]).toEqual([false, false]);
  });

  test('a packet before CONNECT, and a second CONNECT, end the connection', async () => {
    const { port } = await listen(new HeldDisk());
    const early = rawDevice(port);
    early.send({ cmd: 'publish', topic: 'c', payload: '1', qos: 0, dup: false, retain: false });
    await eventually('closed', () => early.isClosed());
    const again = rawDevice(port);
    again.send({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door' });
    again.send({ cmd: 'connect', protocolId: 'MQTT', clientId: 'door' });
    await eventually('closed', () => again.isClosed());
  });

  test('a taken port is a state of this source, not the end of the gateway', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    workspace.onEnd(() => other.close());
    const source = new MqttListenSource({
      name: 'sensors',
      host: '127.0.0.1',
      port,
      accept: async () => {},
      clock: systemClock,
      log: silentLog,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('it says so', () => source.status().state === 'failing');
    expect(source.status().error).toContain('EADDRINUSE');
  });
});
