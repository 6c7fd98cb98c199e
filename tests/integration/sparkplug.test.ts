/** A Sparkplug edge node, as one was recorded, and the gateway: over its own listener and a broker. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { decodeSparkplug } from '../../gateway/profiles/codecs/sparkplug.ts';
import { MqttConnectSource } from '../../gateway/sources/mqtt-connect.ts';
import { MqttListenSource } from '../../gateway/sources/mqtt-listen.ts';
import type { Accept } from '../../gateway/sources/source.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { root } from '../rules/sources.ts';
import { type CountingStore, countingStore } from '../support/counting-store.ts';
import { describeWith, mosquitto, mosquittoProgram } from '../support/debian-part.ts';
import { eventually } from '../support/frames.ts';
import { end, freePort, listening } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const recorded: { topic: string; hex: string }[] = JSON.parse(
  readFileSync(join(root, 'tests/cases/sparkplug-total/session.json'), 'utf8'),
).messages;
const of = (kind: string) => recorded.filter(({ topic }) => topic.includes(`/${kind}/`));

/** A source of the gateway, and where its devices connect to. */
interface Opened {
  readonly port: number;
  publish(topic: string, bytes: Uint8Array): void;
}

/** An edge node: says what is recorded, answers a request for births, dies by its last will. */
async function edgeNode(port: number) {
  const [death] = of('NDEATH');
  const client: MqttClient = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: 'edge-1',
    reconnectPeriod: 0,
    will: { topic: death?.topic ?? '', payload: Buffer.from(death?.hex ?? '', 'hex'), qos: 0 },
  });
  workspace.onEnd(() => client.endAsync(true));
  const say = async (kind: string, nth = 0) => {
    const message = of(kind)[nth];
    const payload = Buffer.from(message?.hex ?? '', 'hex');
    await client.publishAsync(message?.topic ?? '', payload, { qos: 1 });
  };
  const asked: unknown[] = [];
  await client.subscribeAsync('spBv1.0/store/NCMD/edge-1/#');
  client.on('message', async (_topic, payload) => {
    asked.push(decodeSparkplug(payload).metrics[0]);
    await say('NBIRTH');
    await say('DBIRTH');
  });
  return { say, asked, breakDown: () => client.stream.destroy() };
}

function contract(open: (accept: Accept) => Promise<Opened>): void {
  async function store(): Promise<{ store: CountingStore; opened: Opened }> {
    let opened: Opened | undefined;
    const made = countingStore(workspace, [], (_source, topic, bytes) =>
      opened?.publish(topic, bytes),
    );
    made.pair({
      sensor_id: 'door',
      profile: 'sparkplug-total',
      topic: 'spBv1.0/store/DBIRTH/edge-1/door',
    });
    opened = await open((frame) => made.pipeline.accept(frame));
    return { store: made, opened };
  }

  test('births and data count what the totals went up by', async () => {
    const { store: gateway, opened } = await store();
    const node = await edgeNode(opened.port);
    await node.say('NBIRTH');
    await node.say('DBIRTH');
    for (const nth of [0, 1, 2]) await node.say('DDATA', nth);
    const counted = () => gateway.pipeline.tally.total('door');
    await eventually('all are counted', () => counted().in === 10 && counted().out === 5);
    expect(gateway.quarantined).toEqual([]);
    expect(node.asked).toEqual([]);
  });

  test('a gateway that did not hear the births asks for them, and goes on counting', async () => {
    const { store: gateway, opened } = await store();
    const node = await edgeNode(opened.port);
    await node.say('DDATA', 0);
    await eventually('the node is asked', () => node.asked.length === 1);
    expect(node.asked).toMatchObject([{ name: 'Node Control/Rebirth', value: true }]);
    expect(gateway.quarantined).toMatchObject([{ reason: 'alias_unknown' }]);
    await node.say('DDATA', 0);
    await node.say('DDATA', 1);
    const counted = () => gateway.pipeline.tally.total('door');
    await eventually('data have names again', () => counted().in === 7 && counted().out === 1);
  });

  test('a node whose connection breaks takes its devices along until they are born again', async () => {
    const { store: gateway, opened } = await store();
    const node = await edgeNode(opened.port);
    await node.say('NBIRTH');
    await node.say('DBIRTH');
    const offline = () => gateway.pipeline.sighting('door').offline_since !== null;
    await eventually('it is there', () => gateway.pipeline.sighting('door').last_seen_at !== null);
    node.breakDown();
    await eventually('its last will is heard', offline);
    const again = await edgeNode(opened.port);
    await again.say('NBIRTH');
    await again.say('DBIRTH');
    await eventually('it is back', () => !offline());
    expect(gateway.quarantined).toEqual([]);
  });
}

describe('the gateway as the broker', () => {
  contract(async (accept) => {
    const options = { host: '127.0.0.1', port: 0, accept, clock: systemClock, log: silentLog };
    const source = new MqttListenSource({ name: 'sensors', ...options });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('listening', () => source.status().state === 'running');
    return source;
  });
});

describeWith(mosquitto, 'a broker that is there', () => {
  contract(async (accept) => {
    const port = await freePort();
    const config = join(workspace.folder(), 'mosquitto.conf');
    writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
    const broker = spawn(mosquittoProgram, ['-c', config], { stdio: 'ignore' });
    workspace.onEnd(() => end(broker));
    await listening(port);
    const source = new MqttConnectSource({
      name: 'sensors',
      url: `mqtt://127.0.0.1:${port}`,
      topics: ['spBv1.0/#'],
      client_id: 'footbridge-test',
      accept,
      clock: systemClock,
      log: silentLog,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('connected', () => source.status().state === 'running');
    return { port, publish: (topic, bytes) => source.publish(topic, bytes) };
  });
});
