/**
 * Protocol Buffers as they stand on the wire: numbered fields, each a number, eight or four bytes, or
 * a run of bytes. Enough to read one message of known fields; what is not known is skipped. Pure.
 */

const wire = { varint: 0, eight_bytes: 1, bytes: 2, four_bytes: 5 } as const;
const varint_bytes_max = 10;

/** Reads the fields of one message in their order. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #type: number = wire.varint;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next field's number, or 0 at the end. Its value must then be read or skipped. */
  field(): number {
    if (this.#at === this.#bytes.length) return 0;
    const tag = Number(this.#varint());
    this.#type = tag % 8;
    return Math.floor(tag / 8);
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
      default:
        throw new Error(`no field of kind ${this.#type} is known, at byte ${this.#at}`);
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
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80)
        return value <= Number.MAX_SAFE_INTEGER ? Number(value) : BigInt.asUintN(64, value);
    }
    throw new Error(`a number without an end at byte ${this.#at}`);
  }
}
