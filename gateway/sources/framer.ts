/**
 * Cuts a byte stream into frames. Pure: bytes in, frames and faults out.
 *
 * A serial line delivers frames split anywhere, doubled, behind noise and damaged. After a damaged
 * candidate the framer looks for the next frame one byte later, because the candidate's start may
 * itself have been noise that swallowed a good frame.
 */
import { checksumOf, checksumWidth } from './checksum.ts';
import type { Framing } from './framing.ts';

/** A frame's decoded bytes, without start, end and checksum. */
export interface FoundFrame {
  readonly kind: 'frame';
  readonly bytes: Uint8Array;
}

/** A candidate that cannot be used, with its bytes as they came. */
export interface FoundFault {
  readonly kind: 'fault';
  readonly reason: 'checksum' | 'too_large' | 'truncated';
  /** What was expected and what was seen. */
  readonly detail: string;
  readonly bytes: Uint8Array;
}

export type Framed = FoundFrame | FoundFault;

/** What lies at the beginning of the buffered bytes. */
type Finding =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'frame'; readonly length: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'fault';
      /** Bytes that the fault speaks about. */
      readonly length: number;
      readonly reason: 'checksum' | 'too_large' | 'truncated';
      readonly detail: string;
    };

/** Cuts one stream. Holds at most `bytes_max` bytes, whatever arrives. */
export class Framer {
  readonly #framing: Framing;
  readonly #start: Uint8Array;
  readonly #end: Uint8Array;
  readonly #buffer: Uint8Array;
  /** Bytes in the buffer. */
  #length = 0;
  /** Leading bytes that a reported fault has shown already: no byte is reported twice. */
  #reported = 0;
  /** Inside a line that was too long and is thrown away up to its end. */
  #skipping = false;

  constructor(framing: Framing) {
    this.#framing = framing;
    this.#start = fromHex(framing.start ?? '');
    this.#end = fromHex(framing.kind === 'delimited' ? framing.end : '');
    this.#buffer = new Uint8Array(framing.kind === 'fixed' ? framing.bytes : framing.bytes_max);
  }

  /** Takes the next bytes and returns what they complete. Never throws. */
  push(chunk: Uint8Array): Framed[] {
    const found: Framed[] = [];
    let taken = 0;
    while (taken < chunk.length) {
      const part = chunk.subarray(taken, taken + this.#buffer.length - this.#length);
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
      taken += part.length;
      this.#cut(found, false);
    }
    return found;
  }

  /**
   * The line went quiet: what is incomplete now stays incomplete. Without this a false start that
   * announces a long frame would hold back the good frames behind it until that many bytes came.
   */
  quiet(): Framed[] {
    const found: Framed[] = [];
    this.#cut(found, true);
    return found;
  }

  /** Forgets everything buffered. */
  reset(): void {
    this.#length = 0;
    this.#reported = 0;
    this.#skipping = false;
  }

  #cut(found: Framed[], isQuiet: boolean): void {
    while (this.#length > 0) {
      this.#dropNoise();
      const finding = this.#look();
      if (finding.kind === 'frame') {
        if (finding.bytes.length > 0) found.push({ kind: 'frame', bytes: finding.bytes });
        this.#drop(finding.length);
      } else if (finding.kind === 'fault') {
        this.#report(found, finding);
        this.#drop(this.#resume(finding));
      } else if (isQuiet && !this.#skipping && this.#length > this.#start.length) {
        const detail = `the line went quiet after ${this.#length} bytes of a frame`;
        this.#report(found, { kind: 'fault', length: this.#length, reason: 'truncated', detail });
        this.#drop(this.#start.length === 0 ? this.#length : 1);
      } else {
        if (isQuiet) this.reset();
        return;
      }
    }
  }

  /** Bytes before the first start marker are line noise, not a frame. */
  #dropNoise(): void {
    if (this.#start.length > 0) {
      this.#drop(indexOfMarker(this.#held(), this.#start));
    } else if (this.#skipping) {
      const held = this.#held();
      const end = indexOfMarker(held, this.#end);
      const isEnd = end + this.#end.length <= held.length;
      this.#drop(isEnd ? end + this.#end.length : end);
      this.#skipping = !isEnd;
    }
  }

  #look(): Finding {
    const held = this.#held();
    if (held.length <= this.#start.length || this.#skipping) return { kind: 'incomplete' };
    if (this.#framing.kind === 'delimited') return this.#lookForEnd(held, this.#framing);
    const length = frameLength(held, this.#framing);
    if (typeof length !== 'number') return length;
    if (held.length < length) return { kind: 'incomplete' };
    return this.#check(held.subarray(this.#start.length, length), length);
  }

  #lookForEnd(held: Uint8Array, framing: Framing & { kind: 'delimited' }): Finding {
    const body = held.subarray(this.#start.length);
    const end = indexOfMarker(body, this.#end);
    const length = this.#start.length + end + this.#end.length;
    if (length > held.length) {
      if (held.length < framing.bytes_max) return { kind: 'incomplete' };
      const detail = `no end marker ${framing.end} within ${framing.bytes_max} bytes`;
      return { kind: 'fault', length: held.length, reason: 'too_large', detail };
    }
    const between = body.subarray(0, end);
    if (framing.encoding === 'raw') return this.#check(between, length);
    const decoded = decodeHexDigits(between);
    if (typeof decoded === 'string') {
      return { kind: 'fault', length, reason: 'truncated', detail: decoded };
    }
    return this.#check(decoded, length);
  }

  /** Splits the checksum from the body and compares it. */
  #check(whole: Uint8Array, length: number): Finding {
    const checksum = this.#framing.checksum;
    if (checksum === undefined) return { kind: 'frame', length, bytes: whole.slice() };
    const width = checksumWidth(checksum.kind);
    if (whole.length < width) {
      const detail = `${whole.length} bytes, too few for the checksum`;
      return { kind: 'fault', length, reason: 'truncated', detail };
    }
    const bytes = whole.slice(0, -width);
    const covered = checksum.over === 'body' ? bytes : Uint8Array.of(...this.#start, ...bytes);
    const expected = toHex(checksumOf(checksum.kind, covered));
    const seen = toHex(whole.subarray(-width));
    if (expected === seen) return { kind: 'frame', length, bytes };
    const detail = `${checksum.kind} expected ${expected}, seen ${seen}`;
    return { kind: 'fault', length, reason: 'checksum', detail };
  }

  #report(found: Framed[], fault: Finding & { kind: 'fault' }): void {
    if (this.#reported > 0) return;
    const { reason, detail } = fault;
    found.push({ kind: 'fault', reason, detail, bytes: this.#held().slice(0, fault.length) });
    this.#reported = fault.length;
  }

  /** How many bytes to drop after a fault. */
  #resume(fault: Finding & { kind: 'fault' }): number {
    // The tail of a damaged line is no line: one in 256 tails has a matching 8-bit checksum.
    if (this.#framing.kind !== 'delimited' || this.#start.length > 0) return 1;
    this.#skipping = fault.reason === 'too_large';
    return this.#skipping ? fault.length - this.#end.length + 1 : fault.length;
  }

  #held(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#reported = Math.max(0, this.#reported - count);
  }
}

function frameLength(held: Uint8Array, framing: Exclude<Framing, { kind: 'delimited' }>) {
  if (framing.kind === 'fixed') return framing.bytes;
  const { at, size, endian, adds } = framing.length;
  if (held.length < at + size) return { kind: 'incomplete' } as const;
  const field = Array.from(held.subarray(at, at + size));
  if (endian === 'little') field.reverse();
  const length = field.reduce((value, byte) => value * 256 + byte, 0) + adds;
  if (length > framing.bytes_max) {
    const detail = `the length field gives ${length} bytes, the limit is ${framing.bytes_max}`;
    return { kind: 'fault', length: at + size, reason: 'too_large', detail } as const;
  }
  if (length < at + size) {
    const detail = `the length field gives ${length} bytes, less than its own header`;
    return { kind: 'fault', length: at + size, reason: 'truncated', detail } as const;
  }
  return length;
}

/**
 * Where the marker begins; where its first bytes end the array, there; else the array's length. So
 * everything before the returned place is certainly not part of a marker.
 */
function indexOfMarker(bytes: Uint8Array, marker: Uint8Array): number {
  const first = marker[0] ?? 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    const part = bytes.subarray(at, at + marker.length);
    if (part.every((byte, i) => byte === marker[i])) return at;
  }
  return bytes.length;
}

/** The bytes, or why the text is not pairs of hex digits. */
function decodeHexDigits(text: Uint8Array): Uint8Array | string {
  const at = text.findIndex((byte) => Number.isNaN(hexDigit(byte)));
  if (at !== -1) return `byte ${at} of the body is 0x${toHex(text.slice(at, at + 1))}, not hex`;
  if (text.length % 2 === 1) return `${text.length} hex digits, an odd number`;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => {
    return hexDigit(text[2 * i] ?? 0) * 16 + hexDigit(text[2 * i + 1] ?? 0);
  });
}

function hexDigit(byte: number): number {
  return Number.parseInt(String.fromCharCode(byte), 16);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
