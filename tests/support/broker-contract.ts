/** What the source that connects to a broker promises, whatever the broker and the way to it. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KeptSubscriptions } from '../../gateway/sources/kept-subscriptions.ts';
import { type MqttConnectOptions, MqttConnectSource } from '../../gateway/sources/mqtt-connect.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from './frames.ts';
import { HeldDisk } from './held-disk.ts';
import { mqttClient } from './mqtt-client.ts';
import type { Workspace } from './workspace.ts';

/** A source that tries again soon; not yet started. */
export function sourceFor(
  workspace: Workspace,
  disk: HeldDisk,
  over: Partial<MqttConnectOptions> & { url: string },
): MqttConnectSource {
  const source = new MqttConnectSource({
    name: 'building',
    topics: ['counters/#'],
    client_id: 'footbridge-test',
    accept: disk.accept,
    clock: { ...systemClock, random: () => 0.1 },
    log: silentLog,
    ...over,
  });
  workspace.onEnd(() => source.stop());
  return source;
}

async function connectedSource(
  workspace: Workspace,
  disk: HeldDisk,
  over: Partial<MqttConnectOptions> & { url: string },
): Promise<MqttConnectSource> {
  const source = sourceFor(workspace, disk, over);
  await source.start();
  await eventually('connected', () => source.status().state === 'running', 10_000);
  return source;
}

/** A broker that is already there. */
export interface Broker {
  /** Where sensors publish, over TCP. */
  readonly port: number;
  /** Where the gateway connects, when it is not there. */
  readonly url?: string;
  /** Ends all connections, as a restart or a bad line does; sessions stay. */
  drop(): Promise<void>;
}

export function brokerContract(workspace: Workspace, startBroker: () => Promise<Broker>): void {
  const connectSource = (broker: Broker, disk: HeldDisk, over: Partial<MqttConnectOptions> = {}) =>
    connectedSource(workspace, disk, {
      url: broker.url ?? `mqtt://127.0.0.1:${broker.port}`,
      ...over,
    });

  async function publish(port: number, count: number): Promise<void> {
    const sensor = await mqttClient(workspace, port, 'publisher');
    for (let i = 0; i < count; i += 1) {
      await sensor.publishAsync(`counters/${i}`, String(i), { qos: 1 });
    }
    await sensor.endAsync();
  }

  test('messages go on arriving while none is committed, and the connection lives', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    const source = await connectSource(broker, disk);
    await publish(broker.port, 50);
    await eventually('all arrive', () => disk.frames.length === 50);
    expect(source.status().state).toBe('running');
  });

  test('a message that was not committed comes again after a lost connection, in order', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    await connectSource(broker, disk);
    await publish(broker.port, 3);
    await eventually('all arrive', () => disk.frames.length === 3);
    await broker.drop();
    await eventually('all arrive again', () => disk.frames.length === 6, 15_000);
    expect(disk.topics.slice(3)).toEqual(['counters/0', 'counters/1', 'counters/2']);
  });

  test('a topic that has left the configuration is left at the broker too', async () => {
    const broker = await startBroker();
    const path = join(workspace.folder(), 'subscriptions.json');
    const disk = new HeldDisk();
    const connectWith = (...topics: string[]) =>
      connectSource(broker, disk, { topics, subscriptions: new KeptSubscriptions(path) });
    await (await connectWith('counters/#', 'old/#')).stop();
    await connectWith('counters/#');
    const sensor = await mqttClient(workspace, broker.port, 'publisher');
    await sensor.publishAsync('old/1', '1', { qos: 1 });
    await sensor.publishAsync('counters/1', '1', { qos: 1 });
    await eventually('the topic that stays arrives', () => disk.topics.includes('counters/1'));
    expect(disk.topics).toEqual(['counters/1']);
  });

  test('a committed message does not come again', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    const source = await connectSource(broker, disk);
    await publish(broker.port, 3);
    await eventually('all arrive', () => disk.frames.length === 3);
    disk.commit();
    await systemClock.sleep(200);
    await broker.drop();
    await eventually('the loss is seen', () => source.status().state === 'failing');
    await eventually('connected again', () => source.status().state === 'running', 15_000);
    await systemClock.sleep(300);
    expect(disk.frames).toHaveLength(3);
  });

  test('acknowledgements keep the order of arrival: the second commit alone confirms nothing', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    await connectSource(broker, disk);
    await publish(broker.port, 2);
    await eventually('both arrive', () => disk.frames.length === 2);
    disk.commit(1);
    await systemClock.sleep(200);
    await broker.drop();
    await eventually('both arrive again', () => disk.frames.length === 4, 15_000);
  });

  test('a commit after the connection was lost confirms nothing on the next one', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    const source = await connectSource(broker, disk);
    await publish(broker.port, 1);
    await eventually('it arrives', () => disk.frames.length === 1);
    await broker.drop();
    await eventually('it arrives again', () => disk.frames.length === 2, 15_000);
    disk.commit(0);
    await systemClock.sleep(200);
    await broker.drop();
    await eventually('the broker still holds it', () => disk.frames.length === 3, 15_000);
    expect(source.status().frames).toBe(3);
  });

  test('a retained message is marked as state', async () => {
    const broker = await startBroker();
    const sensor = await mqttClient(workspace, broker.port, 'publisher');
    await sensor.publishAsync('counters/ghost', 'old', { qos: 1, retain: true });
    const disk = new HeldDisk();
    await connectSource(broker, disk);
    await eventually('it arrives', () => disk.frames.length === 1);
    expect(disk.frames[0]?.retained).toBe(true);
  });
}
