import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { expect, test } from 'vitest';
import { MqttInlet } from '../../gateway/sources/mqtt-inlet.ts';
import { frame_bytes_max } from '../../gateway/sources/source.ts';
import { eventually } from '../support/frames.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** A broker that says just what the test says, and what comes through the inlet beside the messages. */
async function connected(unacknowledged_max = 100) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket = connect(port, '127.0.0.1');
  const [broker] = (await once(server, 'connection')) as [Socket];
  workspace.onEnd(() => void broker.destroy());
  const disk = new HeldDisk();
  const inlet = new MqttInlet(socket, {
    protocol: 4,
    unacknowledged_max,
    take: (frame) => disk.accept({ source: 'building', received_at: 0, ...frame }),
  });
  const errors: string[] = [];
  inlet.on('error', (error) => errors.push(error.message));
  const passed = gathered(inlet);
  const answered = gathered(broker);
  return { broker, inlet, disk, errors, passed, answered };
}

function gathered(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('hex');
}

function publish(messageId: number, over: object = {}): Buffer {
  const flags = { qos: 1, dup: false, retain: false };
  const packet = { cmd: 'publish', topic: `counters/${messageId}`, payload: 'x', messageId };
  return generate({ ...packet, ...flags, ...over } as Packet);
}

test('messages are taken out of the stream, wherever a chunk ends, and all else goes on', async () => {
  const { broker, disk, passed } = await connected();
  const bytes = Buffer.concat([
    generate({ cmd: 'connack', sessionPresent: true, returnCode: 0 }),
    publish(1),
    generate({ cmd: 'pingresp' }),
    publish(2),
    generate({ cmd: 'suback', messageId: 7, granted: [1] }),
  ]);
  broker.setNoDelay(true);
  for (const byte of bytes) {
    broker.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually('the last packet is there', () => passed() === '20020100d0009003000701');
  expect(disk.topics).toEqual(['counters/1', 'counters/2']);
});

test('a commit is acknowledged in one write, at QoS 1 and 2, and QoS 0 not at all', async () => {
  const { broker, disk, answered } = await connected();
  const messages = [publish(1), publish(2, { qos: 2 }), publish(3, { qos: 0 }), publish(4)];
  broker.write(Buffer.concat(messages));
  await eventually('all have come', () => disk.frames.length === 4);
  disk.commit();
  await eventually('they are acknowledged', () => answered() === '400200015002000240020004');
});

test('an acknowledgement does not break into a packet that MQTT.js writes', async () => {
  const { broker, disk, inlet, answered } = await connected();
  broker.write(publish(1));
  await eventually('it has come', () => disk.frames.length === 1);
  inlet.cork();
  inlet.write(Buffer.from('c0', 'hex'));
  inlet.write(Buffer.from('00', 'hex'));
  disk.commit();
  await new Promise((resolve) => setImmediate(resolve));
  inlet.uncork();
  await eventually('both are there', () => answered() === 'c00040020001');
});

test('of a message that is too large the head is kept, and the next one is read', async () => {
  const { broker, disk } = await connected();
  const size = 3 * frame_bytes_max;
  broker.write(Buffer.concat([publish(1, { payload: 'p'.repeat(size) }), publish(2)]));
  await eventually('both have come', () => disk.frames.length === 2);
  expect(disk.frames[0]?.fault).toMatchObject({ reason: 'too_large' });
  expect(disk.frames[0]?.fault?.detail).toContain(`${size} bytes`);
  expect(disk.topics).toEqual(['counters/1', 'counters/2']);
});

test('beyond its bound the broker is not listened to until the disk has caught up', async () => {
  const { broker, disk } = await connected(4);
  broker.write(Buffer.concat([1, 2, 3, 4].map((id) => publish(id))));
  await eventually('as many as may wait have come', () => disk.frames.length === 4);
  broker.write(publish(5));
  await eventually('it is on its way', () => broker.writableLength === 0);
  expect(disk.frames).toHaveLength(4);
  disk.commit();
  await eventually('it comes when there is room', () => disk.frames.length === 5);
});

test('bytes that are no MQTT end the connection and say why', async () => {
  const { broker, errors } = await connected();
  broker.write(Buffer.from('30ffffffffff', 'hex'));
  await once(broker, 'close');
  expect(errors).toEqual(['a packet length of more than four bytes']);
});
