/** Fixed binary layouts, key-value entries and Modbus registers to an object of values. */
import type { BinaryField, Codec } from '../codec-schema.ts';
import { NotThisDevice, WrongLength } from './faults.ts';

type Binary = Extract<Codec, { kind: 'binary' }>;
type Tlv = Extract<Codec, { kind: 'tlv' }>;
type Registers = Extract<Codec, { kind: 'registers' }>;
type Order = 'big' | 'little';
type Values = Record<string, unknown>;

const readers = {
  u8: (view: DataView, at: number) => view.getUint8(at),
  i8: (view: DataView, at: number) => view.getInt8(at),
  u16: (view: DataView, at: number, little: boolean) => view.getUint16(at, little),
  i16: (view: DataView, at: number, little: boolean) => view.getInt16(at, little),
  u24: (view: DataView, at: number, little: boolean) =>
    little
      ? view.getUint16(at, true) + view.getUint8(at + 2) * 65_536
      : view.getUint8(at) * 65_536 + view.getUint16(at + 1),
  u32: (view: DataView, at: number, little: boolean) => view.getUint32(at, little),
  i32: (view: DataView, at: number, little: boolean) => view.getInt32(at, little),
};
const widths = { u8: 1, i8: 1, u16: 2, i16: 2, u24: 3, u32: 4, i32: 4 };

/** @throws WrongLength, NotThisDevice */
export function decodeBinary(codec: Binary, bytes: Uint8Array): Values {
  const lengths = [codec.length].flat();
  if (!lengths.includes(bytes.length)) {
    throw new WrongLength(`${bytes.length} bytes where the layout has ${lengths.join(' or ')}`);
  }
  return readFields(codec.fields, bytes, codec.order);
}

/**
 * Entries in the order they come. An unknown key ends the frame, since nothing says how long its
 * value is; what was not read is then named `unread`.
 *
 * @throws WrongLength where the last entry is cut off.
 */
export function decodeTlv(codec: Tlv, bytes: Uint8Array): Values {
  const values: Values = {};
  let at = 0;
  while (at < bytes.length) {
    const key = hexOf(bytes.subarray(at, at + codec.key_bytes));
    const start = at + codec.key_bytes;
    const entry = codec.entries.find(
      ({ key: known, when }) =>
        known === key && (when === undefined || bytes[start + when.at] === when.equals),
    );
    if (entry === undefined) {
      values['unread'] = hexOf(bytes.subarray(at, at + 32));
      break;
    }
    const value = bytes.subarray(start, start + entry.length);
    if (value.length < entry.length) {
      throw new WrongLength(`${value.length} bytes where entry ${key} has ${entry.length}`);
    }
    const read = readFields(entry.fields, value, codec.order);
    if (entry.into === undefined) Object.assign(values, read);
    else {
      const list = values[entry.into];
      if (Array.isArray(list)) list.push(read);
      else values[entry.into] = [read];
    }
    at = start + entry.length;
  }
  return values;
}

function readFields(fields: readonly BinaryField[], bytes: Uint8Array, order: Order): Values {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: Values = {};
  for (const field of fields) {
    if (field.at + widthOf(field) > bytes.length) continue;
    const value = readField(field, view, bytes, field.order ?? order);
    if (field.equals !== undefined && value !== field.equals) {
      throw new NotThisDevice(`${field.name} is ${value} where this device has ${field.equals}`);
    }
    if (value !== field.null_when) values[field.name] = value;
  }
  return values;
}

function widthOf({ type, bytes }: BinaryField): number {
  return type === 'bcd' || type === 'hex' || type === 'ascii' ? bytes : widths[type];
}

function readField(
  field: BinaryField,
  view: DataView,
  bytes: Uint8Array,
  order: Order,
): number | string {
  const part = bytes.subarray(field.at, field.at + field.bytes);
  switch (field.type) {
    case 'hex':
      return hexOf(part);
    case 'ascii':
      return String.fromCharCode(...part);
    case 'bcd': {
      const digits = hexOf(order === 'little' ? part.toReversed() : part);
      // A digit above 9 means that these bytes are something else.
      if (/[a-f]/.test(digits)) throw new NotThisDevice(`${field.name} is ${digits}, not decimal`);
      return Number(digits);
    }
    default: {
      const number = readers[field.type](view, field.at, order === 'little');
      if (field.bits === undefined) return number;
      return Math.floor(number / 2 ** field.bits.from) % 2 ** field.bits.count;
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Registers arrive as big-endian bytes, as on the wire (Modbus Application Protocol 1.1b3, 4.2). */
export function decodeRegisters(codec: Registers, bytes: Uint8Array): Values {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: Values = {};
  for (const field of codec.fields) {
    const end = field.at * 2 + (field.type === 'u16' ? 2 : 4);
    if (end > bytes.length) {
      throw new WrongLength(`${bytes.length} bytes where ${field.name} ends at byte ${end}`);
    }
    values[field.name] = register(view, field);
  }
  return values;
}

function register(view: DataView, field: Registers['fields'][number]): number {
  const first = view.getUint16(field.at * 2);
  if (field.type === 'u16') return first;
  const second = view.getUint16(field.at * 2 + 2);
  const [high, low] = field.word_order === 'high_first' ? [first, second] : [second, first];
  return high * 65_536 + low;
}
