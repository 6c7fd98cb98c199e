/**
 * Requests and answers of Modbus RTU ("MODBUS over Serial Line" V1.02). Pure.
 *
 * A line brings late answers, doubled ones, pieces, echoes of the request and noise. An answer is
 * believed by unit, function, length and CRC, and only if no other whole frame overlaps it: the head
 * of one frame and the tail of another can pass a CRC, one time in 65,536.
 */
import { checksumOf } from './checksum.ts';

export interface RtuQuestion {
  readonly unit: number;
  readonly function: 3 | 4;
  readonly start: number;
  readonly count: number;
}

export type RtuAnswer =
  | { readonly kind: 'answer'; readonly bytes: Uint8Array; readonly isAlone: boolean }
  | { readonly kind: 'exception'; readonly exception: number; readonly isAlone: boolean };

export function rtuRequest({ unit, function: code, start, count }: RtuQuestion): Uint8Array {
  const body = Uint8Array.of(unit, code, start >> 8, start, count >> 8, count);
  return Uint8Array.of(...body, ...checksumOf('crc16-modbus', body));
}

/**
 * The answer among the bytes that came since the request; the newest where it came twice.
 * `isAlone`: the bytes are the answer and nothing else, or the request's echo in front of it.
 */
export function rtuAnswerIn(question: RtuQuestion, seen: Uint8Array): RtuAnswer | null {
  const echo = rtuRequest(question);
  const isEchoed = seen.length >= echo.length && echo.every((byte, i) => byte === seen[i]);
  const bytes = isEchoed ? seen.subarray(echo.length) : seen;
  const frames = framesIn(bytes);
  const sound = frames.filter((frame) => !frames.some((other) => overlap(frame, other)));
  const answer = sound.findLast((frame) => fits(question, bytes, frame));
  if (answer === undefined) return null;
  const isAlone = answer.at === 0 && answer.length === bytes.length;
  const body = bytes.slice(answer.at, answer.at + answer.length - 2);
  if (isException(body[1])) return { kind: 'exception', exception: body[2] ?? 0, isAlone };
  return { kind: 'answer', bytes: body.subarray(3), isAlone };
}

interface Span {
  readonly at: number;
  readonly length: number;
}

/** Everything that is a whole answer of some unit, by length and CRC. */
function framesIn(bytes: Uint8Array): Span[] {
  const found: Span[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 1) {
    const length = answerLength(bytes, at);
    if (length === 0 || at + length > bytes.length) continue;
    const body = bytes.subarray(at, at + length - 2);
    const [low, high] = checksumOf('crc16-modbus', body);
    if (bytes[at + length - 2] === low && bytes[at + length - 1] === high) {
      found.push({ at, length });
    }
  }
  return found;
}

/** 0 where no answer to our kind of question can begin. */
function answerLength(bytes: Uint8Array, at: number): number {
  const [code, count = 0] = bytes.subarray(at + 1, at + 3);
  if (isException(code)) return 5;
  const isRead = code === 3 || code === 4;
  return isRead && count > 0 && count <= 250 && count % 2 === 0 ? 5 + count : 0;
}

function isException(code: number | undefined): boolean {
  return code === 0x83 || code === 0x84;
}

function overlap(one: Span, other: Span): boolean {
  return one !== other && one.at < other.at + other.length && other.at < one.at + one.length;
}

function fits(question: RtuQuestion, bytes: Uint8Array, { at, length }: Span): boolean {
  const { unit, function: code, count } = question;
  if (bytes[at] !== unit) return false;
  if (bytes[at + 1] === (code | 0x80)) return true;
  return bytes[at + 1] === code && length === 5 + 2 * count;
}
