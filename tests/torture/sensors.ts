/**
 * The sensors of a tortured store, and the truth about them: each message is one person or more in
 * an interval of its own, so that a missing or doubled message shows in its hour.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { generate, parser } from 'mqtt-packet';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface HourTruth {
  readings: number;
  people: number;
}

export const interval_ms = 10_000;
const hour_ms = 3_600_000;
/** Messages a sensor has under way; it waits for acknowledgements beyond that. */
const window = 20;
const pause_ms = 15;

/**
 * Publishes with QoS 1 and sends everything unacknowledged again, in order, on each new connection
 * (MQTT 4.4). Written out because MQTT.js mixes stored and new messages after a reconnect and then
 * sometimes leaves stored ones unsent; a sensor that forgets cannot be the measure of a gateway.
 */
export class QosOneLink {
  readonly #client_id: string;
  readonly #port: number;
  readonly #clock: Clock;
  readonly #unacknowledged = new Map<number, { topic: string; payload: string }>();
  #socket: Socket | undefined;
  #isConnected = false;
  #isClosed = false;
  #last_id = 0;

  constructor(client_id: string, port: number, clock: Clock) {
    this.#client_id = client_id;
    this.#port = port;
    this.#clock = clock;
    this.#connect();
  }

  get waiting(): number {
    return this.#unacknowledged.size;
  }

  /** Payloads that wait for their acknowledgement. */
  get unacknowledged(): string[] {
    return [...this.#unacknowledged.values()].map(({ payload }) => payload);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  publish(topic: string, payload: string): void {
    this.#last_id = (this.#last_id % 65_535) + 1;
    this.#unacknowledged.set(this.#last_id, { topic, payload });
    if (this.#isConnected) this.#send(this.#last_id, false);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#port, '127.0.0.1', () => {
      const protocol = { protocolId: 'MQTT', protocolVersion: 4 } as const;
      const clientId = this.#client_id;
      socket.write(generate({ cmd: 'connect', ...protocol, clientId, clean: false, keepalive: 5 }));
    });
    this.#socket = socket;
    const packets = parser();
    packets.on('packet', (packet) => {
      if (packet.cmd === 'puback') this.#unacknowledged.delete(packet.messageId ?? 0);
      if (packet.cmd !== 'connack') return;
      this.#isConnected = true;
      for (const id of this.#unacknowledged.keys()) this.#send(id, true);
    });
    socket.on('data', (bytes) => packets.parse(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isConnected = false;
      if (!this.#isClosed) this.#clock.after(50, () => this.#connect());
    });
  }

  #send(messageId: number, dup: boolean): void {
    const message = this.#unacknowledged.get(messageId);
    if (message === undefined) return;
    const header = { cmd: 'publish', qos: 1, retain: false } as const;
    this.#socket?.write(generate({ ...header, ...message, dup, messageId }));
  }
}

/** A door counter that sends and sends again until it is acknowledged. */
export class DeltaSensor {
  readonly sensor_id: string;
  readonly hours = new Map<number, HourTruth>();
  /** First interval, a whole hour, ms since the epoch. */
  readonly start: number;
  readonly #clock: Clock;
  readonly #link: QosOneLink;
  readonly #stop = new AbortController();
  #sent = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(sensor_id: string, port: number, start: number, clock: Clock) {
    this.sensor_id = sensor_id;
    this.#clock = clock;
    this.start = start;
    this.#link = new QosOneLink(sensor_id, port, clock);
  }

  /** Messages so far; they are numbered from 0, and each covers the interval of its number. */
  get sent(): number {
    return this.#sent;
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  /** Numbers of the messages that it will send again. */
  get unacknowledged(): number[] {
    return this.#link.unacknowledged.map((payload) => JSON.parse(payload).id - 1);
  }

  begin(): void {
    this.#running = this.#send();
  }

  /** Resolves when every message is acknowledged. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    while (this.#link.waiting > 0) await this.#clock.sleep(10);
    this.#link.close();
  }

  async #send(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(pause_ms, this.#stop.signal);
      if (this.#link.waiting >= window) continue;
      const from = this.start + this.#sent * interval_ms;
      const people = peopleIn(this.#sent);
      this.#sent += 1;
      const hour = Math.floor(from / hour_ms) * hour_ms;
      const truth = this.hours.get(hour) ?? { readings: 0, people: 0 };
      this.hours.set(hour, { readings: truth.readings + 1, people: truth.people + people });
      const message = {
        id: this.#sent,
        from: new Date(from).toISOString(),
        to: new Date(from + interval_ms).toISOString(),
        in: people,
        out: 0,
      };
      this.#link.publish(`counters/${this.sensor_id}`, JSON.stringify(message));
    }
  }
}

export function peopleIn(message: number): number {
  return 1 + (message % 3);
}

/** A pulse counter with one 16-bit register pair that counts on, whoever is killed. */
export class PulseCounter {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#serve(socket));
  readonly #stop = new AbortController();
  /** Near its end, so that it wraps. */
  #total = 65_400;
  #walked = 0;
  #answers = 0;

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** People who walked since the first answer was stored. */
  get walked(): number {
    return this.#walked;
  }

  /** @param step_ms from one person to the next. */
  async walk(clock: Clock, step_ms: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await clock.sleep(step_ms, this.#stop.signal);
      // The second question shows that the answer to the first, the baseline, is on disk.
      if (this.#answers < 2) continue;
      this.#walked += 1;
      this.#total = (this.#total + 1) % 65_536;
    }
  }

  hold(): void {
    this.#stop.abort();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  /** Answers every request for two input registers (Modbus Application Protocol 1.1b3, 6.4). */
  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (request) => {
      if (request.length < 12) return;
      this.#answers += 1;
      const answer = Buffer.alloc(13);
      request.copy(answer, 0, 0, 4);
      answer.writeUInt16BE(7, 4);
      answer[6] = request[6] ?? 0;
      answer[7] = 4;
      answer[8] = 4;
      answer.writeUInt16BE(this.#total, 9);
      socket.write(answer);
    });
  }
}
