/**
 * MQTT packets out of a stream of bytes: where each ends, and what a PUBLISH says. Everything else is
 * left to `mqtt-packet`; these two are done for every message, and bounded: a length is looked at
 * before the bytes are held. Pure.
 */

/** Where a packet stands; the body is what follows the fixed header. */
export type OnPacket = (header: number, bytes: Buffer, start: number, end: number) => void;
/** Of a packet that is too long only the head is there; `length` is that of its whole body. */
export type OnLongPacket = (header: number, head: Buffer, length: number) => void;

export class MalformedPacket extends Error {}

/** Room for a topic of 65,535 bytes and a frame of 256 KiB. */
const packet_bytes_max = 512 * 1024;
/** Of a longer packet: a topic of any length and some of the payload. */
const head_bytes = 128 * 1024;

export class PacketSplitter {
  readonly #onPacket: OnPacket;
  readonly #onLongPacket: OnLongPacket;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes that must be held before it is worth looking again. */
  #needed = 2;
  /** Bytes of a long packet that are still to come and of no use. */
  #skipped = 0;

  constructor(onPacket: OnPacket, onLongPacket: OnLongPacket) {
    this.#onPacket = onPacket;
    this.#onLongPacket = onLongPacket;
  }

  /** @throws MalformedPacket where no packet can begin: nothing after it can be understood. */
  push(chunk: Buffer): void {
    const useful = this.#skip(chunk);
    if (useful.length === 0) return;
    this.#chunks.push(useful);
    this.#held += useful.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? useful : Buffer.concat(this.#chunks);
    this.#chunks = [];
    const rest = this.#split(bytes);
    this.#held = rest.length;
    if (rest.length > 0) this.#chunks.push(rest);
  }

  /** @returns what is left of the bytes when all whole packets are out. */
  #split(bytes: Buffer): Buffer {
    let at = 0;
    this.#needed = 2;
    while (at < bytes.length) {
      const head = bodyLength(bytes, at + 1);
      if (head === null) return bytes.subarray(at);
      const start = at + 1 + head.size;
      if (head.length > packet_bytes_max) return this.#long(bytes, at, start, head.length);
      const end = start + head.length;
      if (end > bytes.length) {
        this.#needed = end - at;
        return bytes.subarray(at);
      }
      this.#onPacket(bytes[at] ?? 0, bytes, start, end);
      at = end;
    }
    return bytes.subarray(at);
  }

  #long(bytes: Buffer, at: number, start: number, length: number): Buffer {
    if (bytes.length - start < head_bytes) {
      this.#needed = start - at + head_bytes;
      return bytes.subarray(at);
    }
    this.#skipped = start + length - bytes.length;
    this.#onLongPacket(bytes[at] ?? 0, bytes.subarray(start, start + head_bytes), length);
    if (this.#skipped > 0) return Buffer.alloc(0);
    const rest = bytes.subarray(start + length);
    this.#skipped = 0;
    return this.#split(rest);
  }

  #skip(chunk: Buffer): Buffer {
    const skipped = Math.min(this.#skipped, chunk.length);
    this.#skipped -= skipped;
    return skipped === 0 ? chunk : chunk.subarray(skipped);
  }
}

/** The Remaining Length (MQTT 3.1.1, 2.2.3); null: not all of it is there. */
function bodyLength(bytes: Buffer, at: number): { length: number; size: number } | null {
  let length = 0;
  for (let size = 1; size <= 4; size += 1) {
    const byte = bytes[at + size - 1];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 128 ** (size - 1);
    if (byte < 0x80) return { length, size };
  }
  throw new MalformedPacket('a packet length of more than four bytes');
}

/** The first bytes of a packet with a body of so many bytes (2.2). */
export function fixedHeader(header: number, length: number): Buffer {
  const bytes = [header];
  let rest = length;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

export interface Publish {
  readonly topic: string;
  readonly qos: number;
  /** Undefined at QoS 0. */
  readonly message_id: number | undefined;
  readonly payload: Buffer;
}

/**
 * What a PUBLISH says (MQTT 3.1.1 and 5, 3.3).
 *
 * @throws MalformedPacket
 */
export function readPublish(
  header: number,
  bytes: Buffer,
  start: number,
  end: number,
  protocol: number,
): Publish {
  const qos = (header >> 1) & 3;
  const topicStart = start + 2;
  const topicEnd = topicStart + uint16(bytes, start, end);
  let at = topicEnd + (qos === 0 ? 0 : 2);
  if (qos === 3 || at > end) throw new MalformedPacket('a PUBLISH that ends before its payload');
  const message_id = qos === 0 ? undefined : uint16(bytes, topicEnd, end);
  if (message_id === 0) throw new MalformedPacket('a PUBLISH with the message id 0');
  if (protocol === 5) {
    const properties = bodyLength(bytes, at);
    at += properties === null ? end : properties.size + properties.length;
    if (at > end) throw new MalformedPacket('properties that are longer than their PUBLISH');
  }
  const topic = bytes.toString('utf8', topicStart, topicEnd);
  if (topic === '' || topic.includes('#') || topic.includes('+')) {
    throw new MalformedPacket(`a PUBLISH to ${JSON.stringify(topic.slice(0, 80))}`);
  }
  return { topic, qos, message_id, payload: bytes.subarray(at, end) };
}

function uint16(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw new MalformedPacket('a PUBLISH that ends in its header');
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
