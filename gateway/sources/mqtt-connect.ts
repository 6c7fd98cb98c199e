/**
 * A client of a broker that is already there. MQTT.js connects, subscribes and keeps the connection
 * alive; messages are taken out of its stream (mqtt-inlet.ts) and acknowledged after their commit,
 * without holding up the packets behind them, so that many share one fsync.
 */
import type { Duplex } from 'node:stream';
import mqtt, { type MqttClient } from 'mqtt';
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { KeptSubscriptions } from './kept-subscriptions.ts';
import { MqttInlet, type TakeMessage } from './mqtt-inlet.ts';
import type { Accept, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';
import type { ConnectTls } from './tls.ts';

export interface MqttConnectOptions {
  readonly name: string;
  readonly url: string;
  readonly topics: readonly string[];
  /** Fixed, because the broker keeps our unacknowledged messages under it. */
  readonly client_id: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: (() => ConnectTls) | undefined;
  /** Retained: `online` while connected, `offline` as the last will. */
  readonly status_topic?: string | undefined;
  /** Missing: the session is not kept, or nobody minds what is left in it. */
  readonly subscriptions?: KeptSubscriptions | undefined;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long the broker keeps the session of a gateway that is away: a week of outage. */
const session_expiry_s = 7 * 24 * 60 * 60;
/** Messages that the broker may send ahead of our acknowledgements. 20, a usual default, stalls. */
const receive_maximum = 1_000;
/** Mosquitto overruns the window once acknowledgements flow, so memory has a bound of its own. */
const unacknowledged_max = 4 * receive_maximum;
const reconnect = { base_ms: 1_000, cap_ms: 30_000 };

/** What this gateway says about itself and hears back: nothing to store. */
const onDisk = Promise.resolve();

/** The one internal of MQTT.js that is touched here: what makes its stream. Its version is locked. */
interface StreamMaker {
  streamBuilder: (client: MqttClient) => Duplex;
}

export class MqttConnectSource implements Source {
  readonly name: string;
  readonly #options: MqttConnectOptions;
  readonly #outlet: SourceOutlet;
  #client: MqttClient | undefined;
  #attempt = 0;
  #protocol: 4 | 5 = 5;
  #cancelRetry = () => {};
  #stopped = false;

  constructor(options: MqttConnectOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('mqtt-connect', options);
  }

  async start(): Promise<void> {
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    this.#outlet.stopped();
    const { status_topic } = this.#options;
    if (status_topic !== undefined && this.#client?.connected === true) {
      // Leaving in order: the broker then sends no last will.
      this.#client.publish(status_topic, 'offline', { qos: 0, retain: true });
      await this.#client.endAsync(false);
    } else await this.#client?.endAsync(true);
  }

  status(): SourceStatus {
    return this.#outlet.status();
  }

  /** Tells whoever listens there, at most once. */
  publish(topic: string, bytes: Uint8Array): void {
    this.#client?.publish(topic, Buffer.from(bytes), { qos: 0 });
  }

  #connect(): void {
    const { url, client_id, username, password, status_topic, tls } = this.#options;
    const five = this.#protocol === 5;
    const client = mqtt.connect(url, {
      ...tls?.(),
      manualConnect: true,
      protocolVersion: this.#protocol,
      clientId: client_id,
      clean: false,
      keepalive: 30,
      reconnectPeriod: 0,
      resubscribe: false,
      // 65,536 buffers for the numbers that packets may name.
      writeCache: false,
      // Messages are small; compressing each costs memory and time on both sides.
      wsOptions: { perMessageDeflate: false },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(status_topic === undefined
        ? {}
        : { will: { topic: status_topic, payload: Buffer.from('offline'), qos: 1, retain: true } }),
      ...(five
        ? {
            properties: {
              sessionExpiryInterval: session_expiry_s,
              receiveMaximum: receive_maximum,
            },
          }
        : {}),
    });
    this.#client = client;
    this.#takeMessages(client as unknown as StreamMaker, this.#protocol);
    client.on('connect', () => void this.#subscribe(client));
    client.on('error', (error) => this.#failed(error));
    client.on('close', () => this.#lost());
    client.connect();
  }

  /** Each connection has an inlet of its own, and with it a new, empty queue of acknowledgements. */
  #takeMessages(maker: StreamMaker, protocol: 4 | 5): void {
    const build = maker.streamBuilder;
    const options = { protocol, unacknowledged_max, take: this.#take };
    maker.streamBuilder = (client) => {
      const inlet = new MqttInlet(build(client), options);
      return inlet.on('error', (error) => this.#failed(error));
    };
  }

  async #subscribe(client: MqttClient): Promise<void> {
    this.#attempt = 0;
    const { name, topics, subscriptions } = this.#options;
    const before = subscriptions?.of(name) ?? [];
    const removed = before.filter((topic) => !topics.includes(topic));
    try {
      subscriptions?.keep(name, [...topics, ...removed]);
      await client.subscribeAsync([...topics], { qos: 1 });
      if (removed.length > 0) await client.unsubscribeAsync(removed);
      subscriptions?.keep(name, topics);
      this.#outlet.running();
      const { status_topic } = this.#options;
      if (status_topic !== undefined)
        await client.publishAsync(status_topic, 'online', { qos: 1, retain: true });
    } catch (error) {
      this.#failed(error);
    }
  }

  readonly #take: TakeMessage = (frame) => {
    // What this gateway says about itself, heard through its own subscription, is no frame.
    const isOwn = frame.address === this.#options.status_topic;
    return isOwn ? onDisk : this.#outlet.hand(frame);
  };

  #failed(error: unknown): void {
    const text = `${this.#options.url}: ${errorText(error)}`;
    if (/protocol version/i.test(text) && this.#protocol === 5) this.#protocol = 4;
    if (this.#outlet.failing(text)) {
      this.#options.log.warn({ source: this.name, detail: text }, 'source_unavailable');
    }
  }

  #lost(): void {
    if (this.#stopped) return;
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    client.removeAllListeners('close');
    client.end(true);
    if (this.#outlet.state === 'running') this.#failed(new Error('connection closed'));
    const { clock } = this.#options;
    const wait_ms = backoff_ms(this.#attempt, reconnect, clock.random);
    this.#attempt += 1;
    this.#cancelRetry = clock.after(wait_ms, () => this.#connect());
  }
}
