/**
 * The gateway as the broker (aedes): a sensor's own PUBACK waits for the commit, so "acknowledged"
 * means on disk from the sensor on. Sensors only publish here; nothing is passed on to others.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { Access, type Login, type Visitor } from './access.ts';
import { boundedFrame } from './bounded-frame.ts';
import type { Accept, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';
import { certifiedName, type ListenTls } from './tls.ts';

export interface MqttListenOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls?: ListenTls | undefined;
  readonly access?: Access;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

const rebind_ms = 5_000;
/** MQTT 3.1.1 allows servers to take client ids longer than 23 characters; real sensors have them. */
const client_id_length_max = 256;

export class MqttListenSource implements Source {
  readonly name: string;
  readonly #options: MqttListenOptions;
  readonly #outlet: SourceOutlet;
  readonly #sockets = new Set<Socket>();
  readonly #access: Access;
  readonly #visitors = new WeakMap<Client, Visitor>();
  #broker: Aedes | undefined;
  #server: Server | undefined;
  #cancelRetry = () => {};
  #stopped = false;

  constructor(options: MqttListenOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('mqtt-listen', options);
    this.#access = options.access ?? new Access({ allow_anonymous: true, users: [] });
  }

  async start(): Promise<void> {
    this.#broker = new Aedes({
      maxClientsIdLength: client_id_length_max,
      authenticate: (client, username, password, done) => {
        const visitor = this.#enter(client, username, password);
        if (visitor === null) return done(this.#refuse(client, username, 'a wrong login'), false);
        this.#visitors.set(client, visitor);
        done(null, true);
      },
      authorizePublish: (client, packet, allow) => {
        const visitor = client === null ? undefined : this.#visitors.get(client);
        if (client !== null && !this.#access.maySpeak(visitor ?? 'anonymous', packet.topic)) {
          const who = typeof visitor === 'object' ? visitor.username : undefined;
          return allow(this.#refuse(client, who, `no right to ${packet.topic}`));
        }
        // Closing the connection is all the flow control that MQTT 3.1.1 has: what was not
        // acknowledged comes again.
        if (this.#outlet.isFull) return allow(new Error('the disk does not keep up'));
        // `retain` only asks a broker to keep a copy for later subscribers; there are none.
        packet.retain = false;
        const frame = boundedFrame(packet.topic, packet.payload as Uint8Array, false);
        void this.#outlet.hand(frame).then(() => allow(null));
      },
      authorizeSubscribe: (_client, _subscription, answer) => answer(null, null),
    });
    await this.#broker.listen();
    this.#broker.on('clientError', (client, error) => {
      this.#options.log.info(
        { source: this.name, client: client?.id, detail: errorText(error) },
        'client error',
      );
    });
    this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    this.#outlet.stopped();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server?.listening === true) {
      this.#server.close();
      await once(this.#server, 'close');
    }
    await new Promise<void>((resolve) => this.#broker?.close(() => resolve()) ?? resolve());
  }

  /** Sets which sensors have a login of their own. */
  setLogins(logins: readonly Login[]): void {
    this.#access.setSensors(logins);
  }

  status(): SourceStatus {
    return this.#outlet.status();
  }

  /** The port that the operating system gave, for a configured port of 0. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  #enter(client: Client, username?: string, password?: Uint8Array): Visitor | null {
    const certified = certifiedName(client.conn as object);
    if (certified !== null) return this.#access.enterCertified(certified);
    return this.#access.enter(username, password);
  }

  /** MQTT 3.1.1 cannot refuse a message; the connection ends, so that the sensor shows it. */
  #refuse(client: Client, username: string | undefined, why: string): AuthenticateError {
    const who = `client ${client.id}${username === undefined ? '' : ` as ${username}`}: ${why}`;
    if (this.#outlet.refused(who)) {
      this.#options.log.warn({ source: this.name, detail: who }, 'device refused');
    }
    return Object.assign(new Error(who), { returnCode: 5 });
  }

  /** A taken port is a fault of this source alone: it waits and tries again. */
  #listen(): void {
    if (this.#stopped) return;
    const { host, port, tls, clock, log } = this.#options;
    const take = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      this.#broker?.handle(socket);
    };
    const server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
    if (tls !== undefined) this.#watchHandshakes(server);
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

  /** A device with a wrong clock or without a certificate would otherwise fail unseen. */
  #watchHandshakes(server: Server): void {
    server.on('tlsClientError', (error: Error) => {
      const who = `TLS handshake: ${errorText(error)}`;
      if (this.#outlet.refused(who))
        this.#options.log.warn({ source: this.name, detail: who }, 'device refused');
    });
  }
}
