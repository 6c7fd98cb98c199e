import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { Access, type AccessRules, secretHash } from '../../gateway/sources/access.ts';
import { MqttConnectSource } from '../../gateway/sources/mqtt-connect.ts';
import { MqttListenSource } from '../../gateway/sources/mqtt-listen.ts';
import { connectTls, type ListenTls, listenTls } from '../../gateway/sources/tls.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { certificates } from '../support/certificates.ts';
import { describeWith, openssl, testWith } from '../support/debian-part.ts';
import { collectFrames, eventually, type FrameLog } from '../support/frames.ts';
import { end, freePort, listening } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

describe('who may publish to the gateway as the broker', () => {
  const sensor = { username: 'door', secret_sha256: secretHash('s3cret'), addresses: ['c/door'] };

  async function listen(
    log: FrameLog,
    rules: Partial<AccessRules> = {},
    tls?: () => ListenTls,
    clock: Clock = systemClock,
  ) {
    const access = new Access({ allow_anonymous: true, users: [], ...rules });
    const source = new MqttListenSource({
      name: 'sensors',
      host: '127.0.0.1',
      port: 0,
      tls,
      access,
      accept: log.accept,
      clock,
      log: silentLog,
    });
    source.setLogins([sensor]);
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('listening', () => source.status().state === 'running');
    return source;
  }

  /** Whether one message at QoS 1 is acknowledged. */
  async function published(port: number, topic: string, options: IClientOptions) {
    const protocol = options.ca === undefined ? 'mqtt' : 'mqtts';
    const client = mqtt.connect(`${protocol}://127.0.0.1:${port}`, {
      reconnectPeriod: 0,
      ...options,
    });
    workspace.onEnd(() => client.endAsync(true));
    return new Promise<boolean>((resolve) => {
      client.on('error', () => resolve(false));
      client.on('close', () => resolve(false));
      client.publish(topic, '1', { qos: 1 }, (error) => resolve(!error));
    });
  }

  test.each([
    ['a sensor under its login', 'c/door', { username: 'door', password: 's3cret' }, true],
    ['a wrong password', 'c/door', { username: 'door', password: 'guess' }, false],
    ['a sensor at another topic', 'c/window', { username: 'door', password: 's3cret' }, false],
    ['a stranger in a sensor’s name', 'c/door', {}, false],
    ['a stranger elsewhere', 'c/window', {}, true],
    ['an unknown name elsewhere', 'c/window', { username: 'x', password: 'y' }, true],
  ])('%s', async (_what, topic, options, expected) => {
    const log = collectFrames();
    const source = await listen(log);
    expect(await published(source.port, topic, options)).toBe(expected);
    expect(log.frames.map((frame) => frame.address)).toEqual(expected ? [topic] : []);
    expect(source.status().refused).toBe(expected ? 0 : 1);
  });

  test('a shared login has the topics of its filters, but no sensor’s own', async () => {
    const users = [{ username: 'site', secret_sha256: secretHash('pw'), addresses: ['c/+'] }];
    const source = await listen(collectFrames(), { allow_anonymous: false, users });
    const as = { username: 'site', password: 'pw' };
    expect(await published(source.port, 'c/window', as)).toBe(true);
    expect(await published(source.port, 'd/window', as)).toBe(false);
    expect(await published(source.port, 'c/door', as)).toBe(false);
    expect(await published(source.port, 'c/window', {})).toBe(false);
  });

  test('a login that is taken away ends with the next message', async () => {
    const source = await listen(collectFrames(), { allow_anonymous: false });
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${source.port}`, {
      username: 'door',
      password: 's3cret',
      reconnectPeriod: 0,
    });
    workspace.onEnd(() => client.endAsync(true));
    await client.publishAsync('c/door', '1', { qos: 1 });
    source.setLogins([{ ...sensor, secret_sha256: secretHash('new') }]);
    const closed = new Promise<void>((resolve) => client.on('close', () => resolve()));
    client.publish('c/door', '2', { qos: 1 });
    await closed;
  });

  testWith(openssl, 'over TLS with an authority, a certificate is the login', async () => {
    const made = certificates(workspace.folder(), 'door', 'window');
    const tls = () =>
      listenTls('sensors', {
        cert_file: made.server.cert,
        key_file: made.server.key,
        client_ca_file: made.authority,
      });
    const source = await listen(collectFrames(), { allow_anonymous: false }, tls);
    const as = (name: string) => ({ ...made.trust, ...made.client(name) });
    expect(await published(source.port, 'c/door', as('door'))).toBe(true);
    expect(await published(source.port, 'c/window', as('door'))).toBe(false);
    expect(await published(source.port, 'c/door', as('window'))).toBe(false);
    expect(await published(source.port, 'c/door', made.trust)).toBe(false);
    expect(source.status().last_refusal).toContain('TLS handshake');
  });

  testWith(
    openssl,
    'a renewed certificate is shown without a restart, half of one is not',
    async () => {
      const made = certificates(workspace.folder());
      const renewed = certificates(workspace.folder());
      const { cert, key } = made.server;
      const tls = () => listenTls('sensors', { cert_file: cert, key_file: key });
      const clock: Clock = {
        ...systemClock,
        after: (ms, run) => systemClock.after(Math.min(ms, 5), run),
      };
      const source = await listen(collectFrames(), {}, tls, clock);
      const isTrusted = (by: typeof made) => published(source.port, 'c/window', by.trust);
      copyFileSync(renewed.server.cert, cert);
      await systemClock.sleep(50);
      expect(await isTrusted(made)).toBe(true);
      copyFileSync(renewed.server.key, key);
      await expect.poll(() => isTrusted(renewed), { timeout: 5_000 }).toBe(true);
      expect(await isTrusted(made)).toBe(false);
    },
  );

  testWith(openssl, 'over TLS without one, a name and a password are', async () => {
    const made = certificates(workspace.folder());
    const tls = () =>
      listenTls('sensors', { cert_file: made.server.cert, key_file: made.server.key });
    const source = await listen(collectFrames(), {}, tls);
    const login = { username: 'door', password: 's3cret' };
    expect(await published(source.port, 'c/door', { ...made.trust, ...login })).toBe(true);
    expect(await published(source.port, 'c/door', made.trust)).toBe(false);
  });
});

const mosquitto = { name: 'Mosquitto', isInstalled: () => existsSync('/usr/sbin/mosquitto') };

describeWith(mosquitto, 'a client of a broker that asks for more', () => {
  async function startBroker(...settings: string[]): Promise<number> {
    const folder = workspace.folder();
    const port = await freePort();
    const configuration = join(folder, 'mosquitto.conf');
    const root = process.getuid?.() === 0 ? ['user root'] : [];
    writeFileSync(
      configuration,
      [`listener ${port} 127.0.0.1`, ...root, ...settings, ''].join('\n'),
    );
    const broker = spawn('/usr/sbin/mosquitto', ['-c', configuration], { stdio: 'ignore' });
    workspace.onEnd(() => end(broker));
    await listening(port);
    return port;
  }

  async function connectSource(
    options: Partial<ConstructorParameters<typeof MqttConnectSource>[0]> & { url: string },
  ) {
    const log = collectFrames();
    const source = new MqttConnectSource({
      name: 'building',
      topics: ['counters/#'],
      client_id: 'footbridge-test',
      accept: log.accept,
      clock: { ...systemClock, random: () => 0.1 },
      log: silentLog,
      ...options,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    return { source, log };
  }

  async function client(port: number): Promise<MqttClient> {
    const connected = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
    workspace.onEnd(() => connected.endAsync(true));
    return connected;
  }

  testWith(openssl, 'its own certificate is shown, and the broker’s is checked', async () => {
    const made = certificates(workspace.folder(), 'footbridge');
    const own = workspace.folder();
    const [cert_file, key_file] = [join(own, 'c.pem'), join(own, 'k.pem')];
    writeFileSync(cert_file, made.client('footbridge').cert);
    writeFileSync(key_file, made.client('footbridge').key);
    const port = await startBroker(
      `cafile ${made.authority}`,
      `certfile ${made.server.cert}`,
      `keyfile ${made.server.key}`,
      'require_certificate true',
      'use_identity_as_username true',
    );
    const url = `mqtts://127.0.0.1:${port}`;
    const tls = () => connectTls('building', { ca_file: made.authority, cert_file, key_file });
    const { source } = await connectSource({ url, tls });
    await eventually('connected', () => source.status().state === 'running', 10_000);

    const untrusting = await connectSource({ url, client_id: 'other' });
    await eventually('refused', () => untrusting.source.status().state === 'failing', 10_000);
    expect(untrusting.source.status().error).toMatch(/certificate/);
  });

  test('two gateways with a shared subscription get each message once between them', async () => {
    const port = await startBroker('allow_anonymous true');
    const url = `mqtt://127.0.0.1:${port}`;
    const topics = ['$share/store/counters/+/door'];
    const one = await connectSource({ url, topics, client_id: 'one' });
    const two = await connectSource({ url, topics, client_id: 'two' });
    for (const { source } of [one, two]) {
      await eventually('connected', () => source.status().state === 'running', 10_000);
    }
    const sensor = await client(port);
    for (let i = 0; i < 20; i += 1) {
      await sensor.publishAsync(`counters/${i}/door`, String(i), { qos: 1 });
    }
    const all = () => [...one.log.frames, ...two.log.frames].map((frame) => frame.address);
    await eventually('all arrive', () => all().length >= 20);
    expect(new Set(all()).size).toBe(20);
    expect(all()).toHaveLength(20);
  });

  test('a dead broker does not hold up the one beside it', async () => {
    const port = await startBroker('allow_anonymous true');
    const dead = await connectSource({ url: `mqtt://127.0.0.1:${await freePort()}` });
    const alive = await connectSource({ url: `mqtt://127.0.0.1:${port}`, client_id: 'two' });
    await eventually('one runs', () => alive.source.status().state === 'running', 10_000);
    await eventually('one fails', () => dead.source.status().state === 'failing', 10_000);
    await (await client(port)).publishAsync('counters/door', '1', { qos: 1 });
    await eventually('it counts', () => alive.log.frames.length === 1);
  });

  test('it says online, offline when it leaves, and offline as its last will', async () => {
    const port = await startBroker('allow_anonymous true');
    const heard: string[] = [];
    const listener = await client(port);
    listener.on('message', (_topic, bytes) => heard.push(bytes.toString()));
    await listener.subscribeAsync('state/#');
    const status = { url: `mqtt://127.0.0.1:${port}`, status_topic: 'state/store', topics: ['#'] };
    const first = await connectSource(status);
    await eventually('birth', () => heard.length === 1, 10_000);
    await first.source.stop();
    await eventually('leave', () => heard.length === 2);

    // Another client with our id: the broker cuts the line of the first without a DISCONNECT.
    const cut = await connectSource(status);
    await eventually('birth', () => heard.length === 3, 10_000);
    const thief = await mqtt.connectAsync(status.url, { clientId: 'footbridge-test' });
    workspace.onEnd(() => thief.endAsync(true));
    await eventually('last will', () => heard.length >= 4);
    expect(heard.slice(0, 4)).toEqual(['online', 'offline', 'online', 'offline']);
    expect([first, cut].flatMap(({ log }) => log.frames)).toEqual([]);
  });
});
