/**
 * The parts of a sum in few bytes: at its quota a buffer has no room for more. Numbers of seven bits a
 * byte (LEB128, as in DWARF 5, 7.6), most of them differences from the part before: a minute count
 * takes five bytes where its row took sixty. Pure.
 */
import type { CountRow } from './coalesce.ts';

/** A reading that a sum holds. */
export type Part = Pick<
  CountRow,
  'sequence' | 'observed_at' | 'interval_s' | 'in_count' | 'out_count'
>;

/** What the first part differs from. */
const nothing = { sequence: 0, observed_at: 0, interval_ms: 0 };

/** @param parts in the order of their times; their sequences may go back and forth. */
export function packParts(parts: readonly Part[]): Buffer {
  const bytes: number[] = [];
  let before = nothing;
  for (const { sequence, observed_at, interval_s, in_count, out_count } of parts) {
    const interval_ms = Math.round(interval_s * 1000);
    put(bytes, signed(sequence - before.sequence));
    // Where the part before ended.
    put(bytes, signed(observed_at - before.observed_at - before.interval_ms));
    put(bytes, signed(interval_ms - before.interval_ms));
    put(bytes, in_count);
    put(bytes, out_count);
    before = { sequence, observed_at, interval_ms };
  }
  return Buffer.from(bytes);
}

export function unpackParts(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  const numbers = numbersOf(bytes);
  let before = nothing;
  for (let at = 0; at < numbers.length; at += 5) {
    const [step = 0, gap = 0, longer = 0, in_count = 0, out_count = 0] = numbers.slice(at, at + 5);
    const sequence = before.sequence + unsigned(step);
    const observed_at = before.observed_at + before.interval_ms + unsigned(gap);
    const interval_ms = before.interval_ms + unsigned(longer);
    parts.push({ sequence, observed_at, interval_s: interval_ms / 1000, in_count, out_count });
    before = { sequence, observed_at, interval_ms };
  }
  return parts;
}

/** 0, -1, 1, -2 … as 0, 1, 2, 3 … */
function signed(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function unsigned(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** Instants have 41 bits, so no shifts. */
function put(bytes: number[], value: number): void {
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) + 128);
    left = Math.floor(left / 128);
  }
  bytes.push(left);
}

function numbersOf(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let value = 0;
  let place = 1;
  for (const byte of bytes) {
    value += (byte % 128) * place;
    place *= 128;
    if (byte >= 128) continue;
    numbers.push(value);
    value = 0;
    place = 1;
  }
  return numbers;
}
