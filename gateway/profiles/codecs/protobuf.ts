/**
 * Protocol Buffers as they stand on the wire: numbered fields, each a number, eight or four bytes, or
 * a run of bytes. Enough to read one message of known fields; what is not
 * known is skipped, groups of old messages too. Pure.
 */

/** https://protobuf.dev/programming-guides/encoding: what follows a field's number. */
const wire = {
  varint: 0,
  eight_bytes: 1,
  bytes: 2,
  group_start: 3,
  group_end: 4,
  four_bytes: 5,
} as const;
const varint_bytes_max = 10;
const field_number_max = 2 ** 29 - 1;

/**
 * Reads the fields of one message in their order. Every method throws an Error that names the byte
 * where the message is cut off, or is none.
 */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #number = 0;
  #type: number = wire.varint;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next field's number, or 0 at the end. Its value must then be read or skipped. */
  field(): number {
    if (this.#at === this.#bytes.length) return 0;
    const start = this.#at;
    const tag = Number(this.#varint());
    this.#type = tag % 8;
    this.#number = Math.floor(tag / 8);
    // Zero would else be taken for the end, and what follows be left out without a word.
    if (this.#number === 0 || this.#number > field_number_max) {
      throw new Error(`no field has the number ${this.#number}, at byte ${start}`);
    }
    return this.#number;
  }

  /** An unsigned number; a bigint where it is too large to be exact otherwise. */
  unsigned(): number | bigint {
    this.#assert(wire.varint);
    return this.#varint();
  }

  float(): number {
    this.#assert(wire.four_bytes);
    return this.#view.getFloat32(this.#take(4), true);
  }

  double(): number {
    this.#assert(wire.eight_bytes);
    return this.#view.getFloat64(this.#take(8), true);
  }

  bytes(): Uint8Array {
    this.#assert(wire.bytes);
    const length = Number(this.#varint());
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  skip(): void {
    switch (this.#type) {
      case wire.varint:
        this.#varint();
        break;
      case wire.eight_bytes:
        this.#take(8);
        break;
      case wire.bytes:
        this.#take(Number(this.#varint()));
        break;
      case wire.four_bytes:
        this.#take(4);
        break;
      case wire.group_start:
        this.#skipGroup();
        break;
      default:
        throw new Error(`no field of kind ${this.#type} begins here, at byte ${this.#at}`);
    }
  }

  /** A group ends with its own number. Kept in a list, because they may nest as deep as bytes last. */
  #skipGroup(): void {
    const open = [this.#number];
    while (open.length > 0) {
      const number = this.field();
      if (number === 0) throw new Error(`cut off at byte ${this.#at}`);
      if (this.#type === wire.group_start) open.push(number);
      else if (this.#type !== wire.group_end) this.skip();
      else if (open.pop() !== number)
        throw new Error(`no group ${number} to end at byte ${this.#at}`);
    }
  }

  #assert(type: number): void {
    if (this.#type !== type) throw new Error(`a field of another kind at byte ${this.#at}`);
  }

  /** @returns where the bytes start. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new Error(`cut off at byte ${start}`);
    this.#at = start + length;
    return start;
  }

  /** Seven bits a byte, the lowest first. Up to 49 bits a number is exact without a bigint. */
  #varint(): number | bigint {
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 7; i += 1) {
      const byte = this.#view.getUint8(this.#take(1));
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return low;
      factor *= 128;
    }
    let value = BigInt(low);
    for (let i = 7; i < varint_bytes_max; i += 1) {
      const byte = this.#view.getUint8(this.#take(1));
      // Of the tenth byte one bit is left: a number has 64.
      value = BigInt.asUintN(64, value | (BigInt(byte & 0x7f) << BigInt(7 * i)));
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
    }
    throw new Error(`a number without an end at byte ${this.#at}`);
  }
}
