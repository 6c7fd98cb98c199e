/**
 * One device's connection to the gateway as the broker: MQTT 3.1, 3.1.1 and 5 as far as a device
 * needs it that publishes. Nothing is passed on to others, so a session is nothing but the client's own
 * unacknowledged messages, a last will is a message to the gateway, and subscriptions are refused but
 * those of Sparkplug, by which the gateway asks a device for its births.
 */
import type { Socket } from 'node:net';
import {
  type IConnectPacket as Client,
  generate,
  type Packet,
  parser,
  writeToStream,
} from 'mqtt-packet';
import {
  fixedHeader,
  MalformedPacket,
  PacketSplitter,
  type Publish,
  readPublish,
} from './mqtt-packets.ts';
import { ackPackets, OrderedAcks, puback, pubrec } from './ordered-acks.ts';
import { topicMatches } from './topic-filter.ts';

export type { Client };

/** A client that was let in. */
export interface Entered {
  readonly client_id: string;
  /** It was here before and kept what was not acknowledged. */
  readonly known: boolean;
}

/** What a device asks of the source behind it. */
export interface Door {
  /** Lets a client in and says whether its session is known, or refuses it with a reason. */
  enter(device: MqttDevice, client: Client): Entered | 'bad_id' | 'no_login';
  /**
   * Takes a message; resolves when it is on disk. Null: the device has no right to the topic, or the
   * disk does not keep up; closing the connection is all that MQTT 3.1.1 has for both.
   *
   * @param length of the payload as sent, where only its head is there.
   * @param isWill the device did not send it now: it was to be said when the connection breaks.
   */
  take(
    device: MqttDevice,
    message: Publish,
    length: number,
    isWill?: boolean,
  ): Promise<void> | null;
  left(device: MqttDevice): void;
  failed(device: MqttDevice, error: Error): void;
}

// Otherwise the first packet makes a buffer for each number that a packet may ever name, 65,536 of them.
writeToStream.cacheNumbers = false;

/** What a device may hear: nobody but the gateway speaks there. */
const heard_prefix = 'spBv1.0/';
const subscriptions_max = 20;
/** DISCONNECT of MQTT 5 with the wish that the will is published all the same (3.14.2.1). */
const with_will = 0x04;
const connect_deadline_ms = 30_000;
/** Messages of one device that wait for the disk; MQTT 3.1.1 has no other bound for a fast one. */
const unacknowledged_max = 10_000;
/**
 * What MQTT 5 tells a device, which then waits instead of being turned away (3.2.2.3.3; untold it may
 * have 65,535 under way). Many times what a commit takes at once, also on a slow disk.
 */
const receive_maximum = 1_000;
/** Reasons of CONNACK (3.2.2): 3.1.1 and 5. */
const refusals = {
  bad_id: { returnCode: 2, reasonCode: 0x85 },
  no_login: { returnCode: 5, reasonCode: 0x87 },
} as const;

export class MqttDevice {
  readonly socket: Socket;
  readonly #door: Door;
  readonly #acks = new OrderedAcks((acks) => this.#write(ackPackets(acks)));
  /** Messages at QoS 2 that the device has not released yet: the same id is the same message. */
  readonly #unreleased = new Map<number, Promise<void>>();
  readonly #filters = new Set<string>();
  #will: Publish | null = null;
  #client_id: string | null = null;
  #protocol = 4;

  constructor(socket: Socket, door: Door) {
    this.socket = socket;
    this.#door = door;
    const splitter = new PacketSplitter(
      (header, bytes, start, end) => this.#packet(header, bytes, start, end),
      (header, head, length) => this.#longPacket(header, head, length),
    );
    socket.setNoDelay(true);
    // A device that lost its power says nothing; the line itself is asked.
    socket.setKeepAlive(true, 60_000);
    socket.setTimeout(connect_deadline_ms, () =>
      this.#fail(new Error('nothing was heard in time')),
    );
    socket.on('data', (chunk) => this.#read(splitter, chunk));
    socket.on('error', (error) => door.failed(this, error));
    socket.on('close', () => {
      if (this.#will !== null) void door.take(this, this.#will, this.#will.payload.length, true);
      door.left(this);
    });
  }

  /** Null until the client is let in. */
  get client_id(): string | null {
    return this.#client_id;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Ends the connection for a reason that is not the device's: its last will says nothing then. */
  dismiss(): void {
    this.#will = null;
    this.close();
  }

  /** Sends a message to the device, at most once, if it asked to hear that topic. */
  tell(topic: string, bytes: Uint8Array): void {
    if (![...this.#filters].some((filter) => topicMatches(filter, topic))) return;
    const payload = Buffer.from(bytes);
    this.#send({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false });
  }

  #read(splitter: PacketSplitter, chunk: Buffer): void {
    try {
      splitter.push(chunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #packet(header: number, bytes: Buffer, start: number, end: number): void {
    if (this.socket.destroyed) return;
    const type = header >> 4;
    // The first packet is a CONNECT, and no other is (3.1).
    if ((this.#client_id === null) !== (type === 1)) {
      throw new MalformedPacket(`a packet of type ${type} where none can be`);
    }
    if (type === 3) {
      const message = readPublish(header, bytes, start, end, this.#protocol);
      this.#publish(message, message.payload.length);
    } else this.#control(parsed(header, bytes.subarray(start, end), this.#protocol));
  }

  #longPacket(header: number, head: Buffer, length: number): void {
    if (header >> 4 !== 3 || this.#client_id === null) {
      throw new MalformedPacket(`a packet of ${length} bytes`);
    }
    const message = readPublish(header, head, 0, head.length, this.#protocol);
    this.#publish(message, length - (head.length - message.payload.length));
  }

  #publish(message: Publish, length: number): void {
    const { qos, message_id } = message;
    if (message_id === undefined) {
      if (this.#door.take(this, message, length) === null) this.close();
      return;
    }
    const seen = qos === 2 ? this.#unreleased.get(message_id) : undefined;
    const durable = seen ?? this.#door.take(this, message, length);
    if (durable === null) {
      this.close();
      return;
    }
    if (qos === 2) this.#unreleased.set(message_id, durable);
    this.#acks.expect(qos === 2 ? pubrec(message_id) : puback(message_id), durable);
    if (this.#acks.waiting >= unacknowledged_max) {
      this.#fail(new Error(`${unacknowledged_max} messages are not acknowledged yet`));
    }
  }

  #control(packet: Packet): void {
    switch (packet.cmd) {
      case 'connect':
        this.#connect(packet);
        break;
      case 'pingreq':
        this.#send({ cmd: 'pingresp' });
        break;
      case 'pubrel':
        this.#unreleased.delete(packet.messageId ?? 0);
        this.#send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
        break;
      case 'subscribe': {
        const granted = packet.subscriptions.map(({ topic }) => this.#subscribed(topic));
        this.#send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
        break;
      }
      case 'unsubscribe': {
        const granted = packet.unsubscriptions.map((filter) =>
          this.#filters.delete(filter) ? 0 : 0x11,
        );
        this.#send({ cmd: 'unsuback', messageId: packet.messageId ?? 0, granted });
        break;
      }
      case 'disconnect':
        if (packet.reasonCode !== with_will) this.#will = null;
        this.close();
        break;
      default:
        throw new MalformedPacket(`a ${packet.cmd} that answers nothing`);
    }
  }

  /** @returns the granted QoS, or the code of a refusal. */
  #subscribed(filter: string): number {
    const isHeard = filter.startsWith(heard_prefix) && this.#filters.size < subscriptions_max;
    if (isHeard) this.#filters.add(filter);
    return isHeard ? 0 : this.#protocol === 5 ? 0x87 : 0x80;
  }

  #connect(packet: Client): void {
    this.#protocol = packet.protocolVersion ?? 4;
    const entered = this.#door.enter(this, packet);
    if (typeof entered === 'string') {
      const { returnCode, reasonCode } = refusals[entered];
      const code = this.#protocol === 5 ? { reasonCode } : { returnCode };
      this.#send({ cmd: 'connack', sessionPresent: false, ...code });
      this.socket.end();
      return;
    }
    this.#client_id = entered.client_id;
    if (packet.will !== undefined) {
      const { topic, payload } = packet.will;
      this.#will = { topic, payload: Buffer.from(payload), qos: 0, message_id: undefined };
    }
    const keepalive_s = packet.keepalive ?? 0;
    // A device may be late by half its keep-alive (3.1.2.10); 0: it need not say anything.
    this.socket.setTimeout(keepalive_s * 1500);
    const named = packet.clientId === '' ? { assignedClientIdentifier: entered.client_id } : {};
    const properties = { receiveMaximum: receive_maximum, ...named };
    this.#send({
      cmd: 'connack',
      sessionPresent: entered.known,
      ...(this.#protocol === 5 ? { reasonCode: 0, properties } : { returnCode: 0 }),
    });
  }

  #fail(error: Error): void {
    this.#door.failed(this, error);
    this.close();
  }

  #send(packet: Packet): void {
    this.#write(generate(packet, { protocolVersion: this.#protocol }));
  }

  #write(bytes: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }
}

/** @throws MalformedPacket */
function parsed(header: number, body: Buffer, protocolVersion: number): Packet {
  const packets = parser({ protocolVersion });
  let found: Packet | undefined;
  packets.on('packet', (packet) => {
    found = packet;
  });
  packets.on('error', (error: Error) => {
    throw new MalformedPacket(error.message);
  });
  packets.parse(Buffer.concat([fixedHeader(header, body.length), body]));
  if (found === undefined) throw new MalformedPacket('a packet that holds less than it says');
  return found;
}
