/**
 * The gateway as the broker: a sensor's own PUBACK waits for the commit, so "acknowledged" means on
 * disk from the sensor on. Sensors only publish here; nothing is passed on to others.
 *
 * Not a general broker, because none is needed: with aedes a message cost 23 µs where it costs 12
 * here, and a message of any size was held in memory whole.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { Access, type Login, type Visitor } from './access.ts';
import { boundedFrame } from './bounded-frame.ts';
import { type Client, type Door, type Entered, MqttDevice } from './mqtt-device.ts';
import type { Publish } from './mqtt-packets.ts';
import { followCertificate } from './renewed-certificate.ts';
import type { Accept, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';
import { certifiedName, type ListenTls } from './tls.ts';

export interface MqttListenOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Read again while the source runs: certificates are renewed. */
  readonly tls?: (() => ListenTls) | undefined;
  readonly access?: Access;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

const rebind_ms = 5_000;
/** MQTT 3.1.1 allows servers to take client ids longer than 23 characters; real sensors have them. */
const client_id_length_max = 256;
/** Ids of clients that came to stay; a client that is forgotten only hears that it is new. */
const known_clients_max = 10_000;

export class MqttListenSource implements Source {
  readonly name: string;
  readonly #options: MqttListenOptions;
  readonly #outlet: SourceOutlet;
  readonly #access: Access;
  readonly #devices = new Map<MqttDevice, Visitor | null>();
  readonly #known = new Set<string>();
  readonly #door: Door = {
    enter: (device, client) => this.#enter(device, client),
    take: (device, message, length, isWill) => this.#take(device, message, length, isWill),
    left: (device) => this.#devices.delete(device),
    failed: (device, error) => this.#failed(device, error),
  };
  #server: Server | undefined;
  #cancelRetry = () => {};
  #stopFollowing = () => {};
  #stopped = false;

  constructor(options: MqttListenOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('mqtt-listen', options);
    this.#access = options.access ?? new Access({ allow_anonymous: true, users: [] });
  }

  async start(): Promise<void> {
    this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    this.#stopFollowing();
    this.#outlet.stopped();
    for (const device of this.#devices.keys()) device.dismiss();
    if (this.#server?.listening === true) {
      this.#server.close();
      await once(this.#server, 'close');
    }
  }

  /** Sets which sensors have a login of their own. */
  setLogins(logins: readonly Login[]): void {
    this.#access.setSensors(logins);
  }

  /** Tells those devices that listen there, at most once. */
  publish(topic: string, bytes: Uint8Array): void {
    for (const device of this.#devices.keys()) device.tell(topic, bytes);
  }

  status(): SourceStatus {
    return this.#outlet.status();
  }

  /** The port that the operating system gave, for a configured port of 0. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  #enter(device: MqttDevice, client: Client): Entered | 'bad_id' | 'no_login' {
    const { clientId, clean, username, password } = client;
    if (clientId.length > client_id_length_max) return 'bad_id';
    const certified = certifiedName(device.socket as object);
    const visitor =
      certified === null
        ? this.#access.enter(username, password)
        : this.#access.enterCertified(certified);
    if (visitor === null) {
      this.#refused(clientId, username, 'a wrong login');
      return 'no_login';
    }
    // A device that comes back before its old connection is seen to be dead (3.1.4-2). Only under
    // the same login: a stranger's id must not cut a sensor off.
    for (const [other, itsVisitor] of this.#devices) {
      if (other.client_id === clientId && isSame(visitor, itsVisitor)) other.close();
    }
    this.#devices.set(device, visitor);
    if (clientId === '') return { client_id: this.#options.clock.uuid(), known: false };
    const known = clean !== true && this.#known.has(clientId);
    if (clean === true) this.#known.delete(clientId);
    else if (this.#known.size < known_clients_max) this.#known.add(clientId);
    return { client_id: clientId, known };
  }

  #take(
    device: MqttDevice,
    message: Publish,
    length: number,
    isWill = false,
  ): Promise<void> | null {
    const visitor = this.#devices.get(device) ?? 'anonymous';
    const { topic, payload } = message;
    if (!this.#access.maySpeak(visitor, topic)) {
      const who = typeof visitor === 'object' ? visitor.username : undefined;
      this.#refused(device.client_id ?? '', who, `no right to ${topic}`);
      return null;
    }
    if (this.#outlet.isFull) {
      this.#failed(device, new Error('the disk does not keep up'));
      return null;
    }
    // `retain` only asks a broker to keep a copy for later subscribers; there are none.
    return this.#outlet.hand(boundedFrame(topic, payload, isWill, length));
  }

  #failed(device: MqttDevice, error: Error): void {
    const client = device.client_id;
    this.#options.log.info({ source: this.name, client, detail: errorText(error) }, 'client error');
  }

  /** MQTT 3.1.1 cannot refuse a message; the connection ends, so that the sensor shows it. */
  #refused(client_id: string, username: string | undefined, why: string): void {
    const who = `client ${client_id}${username === undefined ? '' : ` as ${username}`}: ${why}`;
    if (this.#outlet.refused(who)) {
      this.#options.log.warn({ source: this.name, detail: who }, 'device refused');
    }
  }

  /** A taken port is a fault of this source alone: it waits and tries again. */
  #listen(): void {
    if (this.#stopped) return;
    const { host, port, tls, clock, log } = this.#options;
    const take = (socket: Socket) => {
      this.#devices.set(new MqttDevice(socket, this.#door), null);
    };
    const server = tls === undefined ? createServer(take) : this.#secure(tls, take);
    this.#server = server;
    server.on('listening', () => this.#outlet.running());
    server.on('error', (error) => {
      const text = `cannot listen on ${host}:${port}: ${errorText(error)}`;
      if (this.#outlet.failing(text))
        log.warn({ source: this.name, detail: text }, 'source_unavailable');
      this.#cancelRetry = clock.after(rebind_ms, () => this.#listen());
    });
    server.listen(port, host);
  }

  #secure(tls: () => ListenTls, take: (socket: Socket) => void): Server {
    const shown = tls();
    const server = createTlsServer(shown, take);
    this.#watchHandshakes(server);
    this.#stopFollowing();
    this.#stopFollowing = followCertificate(server, shown, tls, this.#options.clock);
    return server;
  }

  /** A device with a wrong clock or without a certificate would otherwise fail unseen. */
  #watchHandshakes(server: Server): void {
    server.on('tlsClientError', (error: Error) => {
      const who = `TLS handshake: ${errorText(error)}`;
      if (this.#outlet.refused(who))
        this.#options.log.warn({ source: this.name, detail: who }, 'device refused');
    });
  }
}

function isSame(one: Visitor, other: Visitor | null): boolean {
  if (one === 'anonymous' || other === 'anonymous' || other === null) return one === other;
  return one.username === other.username;
}
