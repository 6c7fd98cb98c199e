/**
 * The name of a message in 96 bits, whatever its device calls it: three numbers, which cost less to
 * compare, to keep and to give to another thread than a text does. Of 10^10 messages none is taken for
 * one of 100,000 others by chance. Whoever makes keys collide on purpose only hides counts of its own
 * sensor, so the hash is a fast one: MurmurHash3 x86_128. Pure.
 */

/** The first three of the hash's four parts, as signed 32-bit integers. */
export interface MessageKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const [c1, c2, c3, c4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];

/** @param text as the profile makes it of the message's fields, quotes and all. */
export function messageKey(text: string): MessageKey {
  const { length } = text;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let at = 0; at < length; at += 8) {
    h1 ^= mixed(word(text, at), c1, 15, c2);
    h1 = (Math.imul((turned(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= mixed(word(text, at + 2), c2, 16, c3);
    h2 = (Math.imul((turned(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= mixed(word(text, at + 4), c3, 17, c4);
    h3 = (Math.imul((turned(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= mixed(word(text, at + 6), c4, 18, c1);
    h4 = (Math.imul((turned(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = final((h2 + h1) | 0);
  h3 = final((h3 + h1) | 0);
  h4 = final((h4 + h1) | 0);
  h1 = (final(h1) + h2 + h3 + h4) | 0;
  return { a: h1, b: (h2 + h1) | 0, c: (h3 + h1) | 0 };
}

/** Two UTF-16 units; 0 stands for what is beyond the end, and the length is part of the hash. */
function word(text: string, at: number): number {
  if (at >= text.length) return 0;
  const low = text.charCodeAt(at);
  return at + 1 < text.length ? low | (text.charCodeAt(at + 1) << 16) : low;
}

function mixed(value: number, first: number, bits: number, second: number): number {
  return Math.imul(turned(Math.imul(value, first), bits), second);
}

function turned(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function final(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A key as the log keeps it: 12 bytes, until the next call. */
export function keyBytes({ a, b, c }: MessageKey): Buffer {
  scratch.writeInt32BE(a, 0);
  scratch.writeInt32BE(b, 4);
  scratch.writeInt32BE(c, 8);
  return scratch;
}

const scratch = Buffer.alloc(12);

/** The key whose bytes these are in base64, or the one of a text that an older version kept. */
export function keyOfText(text: string): MessageKey {
  if (!/^[A-Za-z0-9+/]{16}$/.test(text)) return messageKey(text);
  const bytes = Buffer.from(text, 'base64');
  return { a: bytes.readInt32BE(0), b: bytes.readInt32BE(4), c: bytes.readInt32BE(8) };
}
