import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { describe, expect, test } from 'vitest';
import { KeptSubscriptions } from '../../gateway/sources/kept-subscriptions.ts';
import { type MqttConnectOptions, MqttConnectSource } from '../../gateway/sources/mqtt-connect.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { describeWith } from '../support/debian-part.ts';
import { eventually } from '../support/frames.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { mqttClient } from '../support/mqtt-client.ts';
import { end, freePort, listening } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** A broker that is already there. */
interface Broker {
  readonly port: number;
  /** Ends all connections, as a restart or a bad line does; sessions stay. */
  drop(): Promise<void>;
}

/** What the connecting source promises, whatever the broker. */
function contract(startBroker: () => Promise<Broker>): void {
  async function connectSource(
    port: number,
    disk: HeldDisk,
    over: Partial<MqttConnectOptions> = {},
  ): Promise<MqttConnectSource> {
    const source = new MqttConnectSource({
      name: 'building',
      url: `mqtt://127.0.0.1:${port}`,
      topics: ['counters/#'],
      client_id: 'footbridge-test',
      accept: disk.accept,
      clock: { ...systemClock, random: () => 0.1 },
      log: silentLog,
      ...over,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('connected', () => source.status().state === 'running', 10_000);
    return source;
  }

  async function publish(port: number, count: number): Promise<void> {
    const sensor = await mqttClient(workspace, port, 'publisher');
    for (let i = 0; i < count; i += 1) {
      await sensor.publishAsync(`counters/${i}`, String(i), { qos: 1 });
    }
    await sensor.endAsync();
  }

  test('messages go on arriving while none is committed, and the connection lives', async () => {
    const { port } = await startBroker();
    const disk = new HeldDisk();
    const source = await connectSource(port, disk);
    await publish(port, 50);
    await eventually('all arrive', () => disk.frames.length === 50);
    expect(source.status().state).toBe('running');
  });

  test('a message that was not committed comes again after a lost connection, in order', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    await connectSource(broker.port, disk);
    await publish(broker.port, 3);
    await eventually('all arrive', () => disk.frames.length === 3);
    await broker.drop();
    await eventually('all arrive again', () => disk.frames.length === 6, 15_000);
    expect(disk.topics.slice(3)).toEqual(['counters/0', 'counters/1', 'counters/2']);
  });

  test('a topic that has left the configuration is left at the broker too', async () => {
    const { port } = await startBroker();
    const path = join(workspace.folder(), 'subscriptions.json');
    const disk = new HeldDisk();
    const connectWith = (...topics: string[]) =>
      connectSource(port, disk, { topics, subscriptions: new KeptSubscriptions(path) });
    await (await connectWith('counters/#', 'old/#')).stop();
    await connectWith('counters/#');
    const sensor = await mqttClient(workspace, port, 'publisher');
    await sensor.publishAsync('old/1', '1', { qos: 1 });
    await sensor.publishAsync('counters/1', '1', { qos: 1 });
    await eventually('the topic that stays arrives', () => disk.topics.includes('counters/1'));
    expect(disk.topics).toEqual(['counters/1']);
  });

  test('a committed message does not come again', async () => {
    const broker = await startBroker();
    const disk = new HeldDisk();
    const source = await connectSource(broker.port, disk);
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
    await connectSource(broker.port, disk);
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
    const source = await connectSource(broker.port, disk);
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
    const { port } = await startBroker();
    const sensor = await mqttClient(workspace, port, 'publisher');
    await sensor.publishAsync('counters/ghost', 'old', { qos: 1, retain: true });
    const disk = new HeldDisk();
    await connectSource(port, disk);
    await eventually('it arrives', () => disk.frames.length === 1);
    expect(disk.frames[0]?.retained).toBe(true);
  });
}

describe('a client of an aedes broker (MQTT 3.1.1)', () => {
  contract(async () => {
    const broker = new Aedes();
    await broker.listen();
    const server: Server = createServer((socket) => broker.handle(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    workspace.onEnd(async () => {
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    });
    const address = server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      drop: async () => {
        const clients = (
          broker as unknown as { clients: Record<string, { conn: { destroy(): void } }> }
        ).clients;
        for (const connected of Object.values(clients)) connected.conn.destroy();
      },
    };
  });
});

const mosquitto = {
  name: 'Mosquitto',
  isInstalled: () => existsSync('/usr/sbin/mosquitto'),
};

describeWith(mosquitto, 'a client of a real broker, MQTT 5', () => {
  contract(async () => {
    const folder = workspace.folder();
    const port = await freePort();
    const configuration = join(folder, 'mosquitto.conf');
    writeFileSync(
      configuration,
      [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'persistence true',
        `persistence_location ${folder}/`,
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        '',
      ].join('\n'),
    );
    let running: ChildProcess;
    const start = async () => {
      running = spawn('/usr/sbin/mosquitto', ['-c', configuration], { stdio: 'ignore' });
      await listening(port);
    };
    await start();
    workspace.onEnd(() => end(running));
    return {
      port,
      drop: async () => {
        await end(running);
        await start();
      },
    };
  });
});
