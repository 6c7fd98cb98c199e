/**
 * Columns of numbers and words as PostgreSQL's binary arrays (`array_send` in its arrayfuncs.c):
 * a third of what their decimal digits cost here, and nothing to parse there. Pure.
 */

/** `pg_type.oid` of the elements. */
const oids = { int4: 23, int8: 20, float4: 700, timestamptz: 1184, text: 25 };
/** Dimensions, whether some are null, element type, length, lower bound. */
const head_bytes = 20;
const length_bytes = 4;
/** `timestamptz` counts µs from 2000-01-01. */
const postgres_epoch_ms = 946_684_800_000;
const two_to_32 = 0x1_0000_0000;

type Put = (view: DataView, at: number, value: number) => void;

/** `integer[]` */
export function int4Array(values: readonly (number | null)[]): Buffer {
  return fixedArray(oids.int4, 4, values, (view, at, value) => view.setInt32(at, value));
}

/** `bigint[]` */
export function int8Array(values: readonly number[]): Buffer {
  return fixedArray(oids.int8, 8, values, putInt8);
}

/** `real[]` */
export function float4Array(values: readonly (number | null)[]): Buffer {
  return fixedArray(oids.float4, 4, values, (view, at, value) => view.setFloat32(at, value));
}

/** `timestamptz[]` of ms since the Unix epoch. */
export function timestampArray(instants: readonly number[]): Buffer {
  return fixedArray(oids.timestamptz, 8, instants, (view, at, instant) =>
    putInt8(view, at, (instant - postgres_epoch_ms) * 1000),
  );
}

/** `text[]` of the words that the places name. */
export function wordArray(places: readonly number[], words: readonly string[]): Buffer {
  const encoded = words.map((word) => Buffer.from(word));
  const bytes = places.reduce((sum, place) => sum + length_bytes + lengthOf(encoded[place]), 0);
  const array = Buffer.allocUnsafe(head_bytes + bytes);
  const view = viewOf(array);
  putHead(view, oids.text, places.length, false);
  let at = head_bytes;
  for (const place of places) {
    const word = encoded[place];
    const length = lengthOf(word);
    view.setInt32(at, length);
    if (word !== undefined) array.set(word, at + length_bytes);
    at += length_bytes + length;
  }
  return array;
}

/** The length -1 says null. */
function fixedArray(
  oid: number,
  bytes_each: number,
  values: readonly (number | null)[],
  put: Put,
): Buffer {
  const nulls = values.reduce((sum: number, value) => (value === null ? sum + 1 : sum), 0);
  const bytes = values.length * (length_bytes + bytes_each) - nulls * bytes_each;
  const array = Buffer.allocUnsafe(head_bytes + bytes);
  const view = viewOf(array);
  putHead(view, oid, values.length, nulls > 0);
  let at = head_bytes;
  for (const value of values) {
    view.setInt32(at, value === null ? -1 : bytes_each);
    at += length_bytes;
    if (value === null) continue;
    put(view, at, value);
    at += bytes_each;
  }
  return array;
}

function putHead(view: DataView, oid: number, length: number, hasNulls: boolean): void {
  view.setInt32(0, 1);
  view.setInt32(4, hasNulls ? 1 : 0);
  view.setInt32(8, oid);
  view.setInt32(12, length);
  view.setInt32(16, 1);
}

/** Exact up to 2^53 on either side of zero; the lower half is taken modulo 2^32 by itself. */
function putInt8(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / two_to_32));
  view.setUint32(at + 4, value);
}

function viewOf(array: Buffer): DataView {
  return new DataView(array.buffer, array.byteOffset, array.byteLength);
}

function lengthOf(word: Buffer | undefined): number {
  return word?.length ?? 0;
}
