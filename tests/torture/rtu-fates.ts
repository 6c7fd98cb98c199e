/**
 * What a bad line makes of a unit's answer. Damage stays within what CRC-16 always detects (up to
 * three flipped bits, or one burst of 16): beyond it one damaged frame in 65,536 is a good one, and
 * only the meter's second look at a leap can tell.
 */
import { checksumOf } from '../../gateway/sources/checksum.ts';
import type { RtuQuestion } from '../../gateway/sources/modbus-rtu-frame.ts';
import type { Seeded } from './seeded.ts';

export const fates = [
  'good',
  'late',
  'doubled',
  'truncated',
  'wrong_unit',
  'bad_crc',
  'exception',
  'noise',
  'silence',
] as const;
export type Fate = (typeof fates)[number];

/** Bytes that reach the asker so long after the request. */
export interface Delivery {
  readonly after_ms: number;
  readonly bytes: Uint8Array;
}

export interface Patience {
  readonly timeout_ms: number;
  /** Nothing comes later than this after its request. */
  readonly late_ms: number;
}

/** The one value that the register of this unit holds: it names its owner. */
function registerValue(unit: number, code: number, register: number): number {
  return (unit * 7919 + code * 104_729 + register * 40_503 + 12_345) & 0xffff;
}

export function registerBytes(question: RtuQuestion): Uint8Array {
  const { unit, function: code, start, count } = question;
  return Uint8Array.from({ length: count * 2 }, (_, i) => {
    const value = registerValue(unit, code, start + (i >> 1));
    return i % 2 === 0 ? value >> 8 : value;
  });
}

function framed(...bytes: number[]): Uint8Array {
  const body = Uint8Array.from(bytes);
  return Uint8Array.of(...body, ...checksumOf('crc16-modbus', body));
}

export function answerFrame(question: RtuQuestion): Uint8Array {
  const bytes = registerBytes(question);
  return framed(question.unit, question.function, bytes.length, ...bytes);
}

export function deliveriesOf(
  fate: Fate,
  question: RtuQuestion,
  units: number,
  patience: Patience,
  random: Seeded,
): Delivery[] {
  const { timeout_ms, late_ms } = patience;
  const answer = answerFrame(question);
  const soon = () => 2 + random.below(timeout_ms * 0.6);
  const late = () => timeout_ms + random.below(late_ms - timeout_ms);
  switch (fate) {
    case 'good':
      return inPieces(answer, soon(), random);
    case 'late':
      // Mostly while the next question or two are asked, now and then much later.
      return inPieces(answer, random.next() < 0.7 ? timeout_ms + soon() : late(), random);
    case 'doubled': {
      const first = soon();
      const second = random.next() < 0.5 ? first : first + soon();
      return [
        ...inPieces(answer, first, random),
        ...inPieces(answer, random.next() < 0.8 ? second : late(), random),
      ];
    }
    case 'truncated': {
      const cut = 1 + random.below(answer.length - 1);
      const piece = random.next() < 0.7 ? answer.slice(0, cut) : answer.slice(cut);
      const at = soon();
      // Half of them with the whole frame of somebody else right behind.
      const other = otherUnit(question, units, random);
      const behind = random.next() < 0.5 ? answerFrame(other) : exceptionFrame(other, 4);
      const glued = random.next() < 0.5 ? Uint8Array.of(...piece, ...behind) : piece;
      return [{ after_ms: at, bytes: glued }];
    }
    case 'wrong_unit':
      return inPieces(answerFrame(otherUnit(question, units, random)), soon(), random);
    case 'bad_crc':
      return inPieces(damaged(answer, random), soon(), random);
    case 'exception':
      return inPieces(exceptionFrame(question, 1 + random.below(11)), soon(), random);
    case 'noise':
      return [{ after_ms: soon(), bytes: noise(1 + random.below(60), random) }];
    case 'silence':
      return [];
  }
}

function otherUnit(question: RtuQuestion, units: number, random: Seeded): RtuQuestion {
  return { ...question, unit: ((question.unit + random.below(units - 1)) % units) + 1 };
}

function exceptionFrame({ unit, function: code }: RtuQuestion, exception: number): Uint8Array {
  return framed(unit, code | 0x80, exception);
}

/** As drivers deliver: whole, or in pieces with pauses between them. */
function inPieces(bytes: Uint8Array, after_ms: number, random: Seeded): Delivery[] {
  if (random.next() < 0.6) return [{ after_ms, bytes }];
  const cut = 1 + random.below(bytes.length - 1);
  return [
    { after_ms, bytes: bytes.slice(0, cut) },
    { after_ms: after_ms + random.below(16), bytes: bytes.slice(cut) },
  ];
}

function noise(length: number, random: Seeded): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

function damaged(frame: Uint8Array, random: Seeded): Uint8Array {
  const bytes = frame.slice();
  const bits = bytes.length * 8;
  const flip = (bit: number) => {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
  };
  if (random.next() < 0.5) {
    const chosen = new Set(Array.from({ length: 1 + random.below(3) }, () => random.below(bits)));
    for (const bit of chosen) flip(bit);
  } else {
    const from = random.below(bits - 16);
    flip(from);
    for (let i = 1; i < 16; i += 1) if (random.next() < 0.5) flip(from + i);
  }
  return bytes;
}
