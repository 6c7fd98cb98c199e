/**
 * The stream between a broker and MQTT.js, which takes the messages out on their way: MQTT.js sees a
 * connection on which nothing is ever published. It keeps what it does well (connecting, TLS,
 * WebSockets, keep-alive, subscriptions); what is done for every message happens here.
 *
 * Two reasons. A PUBACK must wait for its commit, and MQTT.js takes the next packet, PINGRESP
 * included, only when the one before is acknowledged. And a message pays for no packet object,
 * queue or event: with the keys of `message-key.ts`, 14 µs of CPU in all where it was 21 to 24.
 */
import { Duplex } from 'node:stream';
import { boundedFrame } from './bounded-frame.ts';
import { fixedHeader, PacketSplitter, type Publish, readPublish } from './mqtt-packets.ts';
import { ackPackets, OrderedAcks, puback, pubrec } from './ordered-acks.ts';
import type { Frame } from './source.ts';

/** Takes a message; resolves when it is on disk. */
export type TakeMessage = (frame: Omit<Frame, 'source' | 'received_at'>) => Promise<void>;

const publish_type = 3;

export interface MqttInletOptions {
  readonly protocol: 4 | 5;
  /** Messages that may wait for the disk; then the broker is not listened to for a while. */
  readonly unacknowledged_max: number;
  readonly take: TakeMessage;
}

export class MqttInlet extends Duplex {
  readonly #broker: Duplex;
  readonly #options: MqttInletOptions;
  /** Of this connection alone: one left over would confirm on the next what was never stored. */
  readonly #acks = new OrderedAcks((due) => this.#acknowledge(due));
  #isFull = false;

  /** @param broker the connection as MQTT.js has made it. */
  constructor(broker: Duplex, options: MqttInletOptions) {
    super({ allowHalfOpen: false });
    this.#broker = broker;
    this.#options = options;
    const packets = new PacketSplitter(
      (header, bytes, start, end) => this.#packet(header, bytes, start, end),
      (header, head, length) => this.#longPacket(header, head, length),
    );
    broker.on('data', (chunk: Buffer) => {
      try {
        packets.push(chunk);
      } catch (error) {
        this.destroy(error as Error);
      }
    });
    broker.on('end', () => this.push(null));
    broker.on('error', (error) => this.destroy(error));
    broker.on('close', () => this.destroy());
  }

  #packet(header: number, bytes: Buffer, start: number, end: number): void {
    if (this.destroyed) return;
    if (header >> 4 !== publish_type) {
      this.push(Buffer.concat([fixedHeader(header, end - start), bytes.subarray(start, end)]));
      return;
    }
    const message = readPublish(header, bytes, start, end, this.#options.protocol);
    this.#take(header, message, message.payload.length);
  }

  #longPacket(header: number, head: Buffer, length: number): void {
    if (header >> 4 !== publish_type) throw new Error(`a packet of ${length} bytes`);
    const message = readPublish(header, head, 0, head.length, this.#options.protocol);
    this.#take(header, message, length - (head.length - message.payload.length));
  }

  #take(header: number, { topic, payload, qos, message_id }: Publish, length: number): void {
    const isRetained = (header & 1) === 1;
    const durable = this.#options.take(boundedFrame(topic, payload, isRetained, length));
    if (message_id === undefined) return;
    // At QoS 2, which nobody asked for, MQTT.js answers the PUBREL; one that comes again is a
    // message like any other that does.
    this.#acks.expect(qos === 2 ? pubrec(message_id) : puback(message_id), durable);
    if (this.#isFull || this.#acks.waiting < this.#options.unacknowledged_max) return;
    this.#isFull = true;
    this.#broker.pause();
  }

  #acknowledge(due: readonly number[]): void {
    // Through the same queue as what MQTT.js writes: packets must not break into each other.
    if (this.writable) this.write(ackPackets(due));
    if (!this.#isFull || this.#acks.waiting >= this.#options.unacknowledged_max / 2) return;
    this.#isFull = false;
    this.#broker.resume();
  }

  /** What MQTT.js has to read is little, and pushed when it comes. */
  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void) {
    this.#broker.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#broker.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#broker.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#broker.destroy();
    done(error);
  }
}
