/** A broker behind WebSockets, with and without TLS: the same promise as over TCP. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { brokerContract, sourceFor } from '../support/broker-contract.ts';
import { certificates } from '../support/certificates.ts';
import { describeWith, mosquitto, openssl, testWith } from '../support/debian-part.ts';
import { eventually } from '../support/frames.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts';
import { mqttClient } from '../support/mqtt-client.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** @param more lines of its configuration for the listener. */
async function webSocketBroker(...more: string[]): Promise<Mosquitto & { web_port: number }> {
  const web_port = await freePort();
  const listener = [`listener ${web_port} 127.0.0.1`, 'protocol websockets', ...more];
  return { ...(await startMosquitto(workspace, listener)), web_port };
}

describeWith(mosquitto, 'a broker at ws://', () => {
  brokerContract(workspace, async () => {
    const broker = await webSocketBroker();
    return { ...broker, url: `ws://127.0.0.1:${broker.web_port}/mqtt` };
  });

  test('a thousand messages keep their order, however its frames cut them', async () => {
    const broker = await webSocketBroker();
    const disk = new HeldDisk();
    const source = sourceFor(workspace, disk, { url: `ws://127.0.0.1:${broker.web_port}/mqtt` });
    await source.start();
    await eventually('connected', () => source.status().state === 'running');
    const sensor = await mqttClient(workspace, broker.port, 'publisher');
    const topics = Array.from({ length: 1_000 }, (_, i) => `counters/${i}`);
    const body = (i: number) => 'x'.repeat((i * 7) % 900);
    await Promise.all(topics.map((topic, i) => sensor.publishAsync(topic, body(i), { qos: 1 })));
    await eventually('all arrive', () => disk.frames.length === 1_000);
    expect(disk.topics).toEqual(topics);
    expect(disk.frames.map(({ bytes }) => bytes.length)).toEqual(
      topics.map((_, i) => body(i).length),
    );
  });

  testWith(
    openssl,
    'at wss:// it shows a certificate of the authority named, and asks for ours',
    async () => {
      const folder = workspace.folder();
      const made = certificates(folder, 'gateway');
      const { server, authority } = made;
      const broker = await webSocketBroker(
        `certfile ${server.cert}`,
        `keyfile ${server.key}`,
        `cafile ${authority}`,
        'require_certificate true',
      );
      const url = `wss://127.0.0.1:${broker.web_port}/mqtt`;
      const ca = readFileSync(authority);
      const own = made.client('gateway');
      const connecting = async (tls: object) => {
        const disk = new HeldDisk();
        const source = sourceFor(workspace, disk, {
          url,
          tls: () => tls,
          client_id: join(folder, 'x'),
        });
        await source.start();
        return { disk, source };
      };

      const stranger = await connecting(own);
      // Mosquitto opens this listener after the other: until then it is refused.
      await eventually('it is not trusted', () =>
        /certificate/.test(stranger.source.status().error ?? ''),
      );
      await stranger.source.stop();
      const nameless = await connecting({ ca });
      await eventually('it is not let in', () => nameless.source.status().state === 'failing');
      await nameless.source.stop();

      const { disk, source } = await connecting({ ca, ...own });
      await eventually('connected', () => source.status().state === 'running');
      const sensor = await mqttClient(workspace, broker.port, 'publisher');
      await sensor.publishAsync('counters/1', '1', { qos: 1 });
      await eventually('it arrives', () => disk.frames.length === 1);
      await broker.drop();
      await eventually('uncommitted, it comes again', () => disk.frames.length === 2, 15_000);
      disk.commit();
      await broker.drop();
      await eventually('connected again', () => source.status().state === 'running', 15_000);
      await sensor.publishAsync('counters/2', '2', { qos: 1 });
      await eventually('committed, it does not', () => disk.topics.at(-1) === 'counters/2', 15_000);
      expect(disk.topics).toEqual(['counters/1', 'counters/1', 'counters/2']);
    },
  );
});
