import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BrokerReady } from '../../demo/broker.ts';
import { openCuttableLink } from '../../demo/cuttable-link.ts';
import { Publisher } from '../../demo/publisher.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { eventually } from '../support/frames.ts';
import { MortalBroker } from '../support/mortal-broker.ts';
import { Workspace } from '../support/workspace.ts';

const demo = path.join(import.meta.dirname, '../../demo');
const workspace = new Workspace();

async function startBroker(): Promise<MortalBroker> {
  const broker = new MortalBroker();
  await broker.start();
  workspace.onEnd(() => broker.die());
  return broker;
}

describe('a sensor’s MQTT client', () => {
  test('sends again, in order, what a killed broker did not acknowledge', async () => {
    const broker = await startBroker();
    const publisher = new Publisher(`mqtt://127.0.0.1:${broker.port}`, 'sensor');
    workspace.onEnd(() => publisher.close());
    broker.isAcknowledging = false;
    for (let id = 1; id <= 5; id += 1) publisher.publish('counters/front-door', { id });
    await eventually('the first message', () => broker.heard.length === 1);
    await broker.die();
    broker.isAcknowledging = true;
    publisher.publish('counters/front-door', { id: 6 });
    await broker.start();
    await publisher.acknowledged();
    expect(broker.heard.map(({ message }) => message['id'])).toEqual([1, 1, 2, 3, 4, 5, 6]);
  });

  test('waits for a broker that is not there yet', async () => {
    const broker = await startBroker();
    await broker.die();
    const publisher = new Publisher(`mqtt://127.0.0.1:${broker.port}`, 'sensor');
    workspace.onEnd(() => publisher.close());
    publisher.publish('counters/front-door', { id: 1 });
    await systemClock.sleep(300);
    await broker.start();
    await publisher.acknowledged();
    expect(broker.heard).toHaveLength(1);
  });
});

test('the plain broker says its port and takes messages', async () => {
  const child = fork(path.join(demo, 'broker.js'));
  const [ready] = (await once(child, 'message')) as [BrokerReady];
  workspace.onEnd(async () => {
    child.disconnect();
    await once(child, 'exit');
  });
  const publisher = new Publisher(`mqtt://127.0.0.1:${ready.port}`, 'sensor');
  publisher.publish('counters/front-door', { id: 1 });
  await publisher.acknowledged();
  await publisher.close();
});

test('a cut link breaks what is connected and lets nobody through until it is mended', async () => {
  const hq = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  hq.listen(0, '127.0.0.1');
  await once(hq, 'listening');
  const link = await openCuttableLink((hq.address() as AddressInfo).port);
  workspace.onEnd(async () => {
    await link.close();
    hq.close();
  });
  const socket = connect(link.port, '127.0.0.1').on('error', () => {});
  socket.write('hello');
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
  link.cut();
  await closed(socket);
  const refused = connect(link.port, '127.0.0.1').on('error', () => {});
  await closed(refused);
  expect(refused.bytesRead).toBe(0);
  link.mend();
  const again = connect(link.port, '127.0.0.1');
  again.write('again');
  expect(String((await once(again, 'data'))[0])).toBe('again');
  again.destroy();
});

/** Unlike `once`, does not mind an error before it. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}
