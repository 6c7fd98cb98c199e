/**
 * The gateway as the broker (aedes): a sensor's own PUBACK waits for the commit, so "acknowledged"
 * means on disk from the sensor on. Sensors only publish here; nothing is passed on to others.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { mqttFrame } from './mqtt-frame.ts';
import type { Accept, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';

export interface MqttListenOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
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
  #broker: Aedes | undefined;
  #server: Server | undefined;
  #cancelRetry = () => {};
  #stopped = false;

  constructor(options: MqttListenOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('mqtt-listen', options);
  }

  async start(): Promise<void> {
    this.#broker = new Aedes({
      maxClientsIdLength: client_id_length_max,
      authorizePublish: (_client, packet, allow) => {
        // Closing the connection is all the flow control that MQTT 3.1.1 has: what was not
        // acknowledged comes again.
        if (this.#outlet.isFull) return allow(new Error('the disk does not keep up'));
        // `retain` only asks a broker to keep a copy for later subscribers; there are none.
        packet.retain = false;
        const frame = mqttFrame(packet.topic, packet.payload as Uint8Array, false);
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

  status(): SourceStatus {
    return this.#outlet.status();
  }

  /** The port that the operating system gave, for a configured port of 0. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** A taken port is a fault of this source alone: it waits and tries again. */
  #listen(): void {
    if (this.#stopped) return;
    const { host, port, clock, log } = this.#options;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      this.#broker?.handle(socket);
    });
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
}
