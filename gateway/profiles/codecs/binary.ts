/** Fixed binary layouts and Modbus registers to an object of numbers. */
import type { Codec } from '../profile.ts';

type Binary = Extract<Codec, { kind: 'binary' }>;
type Registers = Extract<Codec, { kind: 'registers' }>;
type Numbers = Record<string, number>;

/** The bytes are well formed but belong to another device or message. */
export class NotThisDevice extends Error {}
/** Fewer or more bytes than the layout has. */
export class WrongLength extends Error {}

const readers = {
  u8: (view: DataView, at: number) => view.getUint8(at),
  u16: (view: DataView, at: number, little: boolean) => view.getUint16(at, little),
  i16: (view: DataView, at: number, little: boolean) => view.getInt16(at, little),
  u32: (view: DataView, at: number, little: boolean) => view.getUint32(at, little),
  i32: (view: DataView, at: number, little: boolean) => view.getInt32(at, little),
};

/** @throws WrongLength, NotThisDevice */
export function decodeBinary(codec: Binary, bytes: Uint8Array): Numbers {
  if (bytes.length !== codec.length) {
    throw new WrongLength(`${bytes.length} bytes where the layout has ${codec.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: Numbers = {};
  for (const field of codec.fields) {
    const value = readers[field.type](view, field.at, field.order === 'little');
    if (field.equals !== undefined && value !== field.equals) {
      throw new NotThisDevice(`${field.name} is ${value} where this device has ${field.equals}`);
    }
    numbers[field.name] = value;
  }
  return numbers;
}

/** Registers arrive as big-endian bytes, as on the wire (Modbus Application Protocol 1.1b3, 4.2). */
export function decodeRegisters(codec: Registers, bytes: Uint8Array): Numbers {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: Numbers = {};
  for (const field of codec.fields) {
    const end = field.at * 2 + (field.type === 'u16' ? 2 : 4);
    if (end > bytes.length) {
      throw new WrongLength(`${bytes.length} bytes where ${field.name} ends at byte ${end}`);
    }
    numbers[field.name] = register(view, field);
  }
  return numbers;
}

function register(view: DataView, field: Registers['fields'][number]): number {
  const first = view.getUint16(field.at * 2);
  if (field.type === 'u16') return first;
  const second = view.getUint16(field.at * 2 + 2);
  const [high, low] = field.word_order === 'high_first' ? [first, second] : [second, first];
  return high * 65_536 + low;
}
