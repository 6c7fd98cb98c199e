/**
 * HPC168 counters on one serial line: each answers the request that names it with two 32-bit
 * counts. Format as published in ErnestoLomar/HPC168; written apart from the gateway's framer, so
 * that a mistake in one does not hide in the other.
 */
import type { Sums } from './door.ts';
import type { PolledCounter } from './polled-counter.ts';
import type { PseudoTerminal } from './pseudo-terminal.ts';

const stx = '\x02';
const etx = '\x03';
const read_command = '13';
const read_answer = '93';
/** Bytes of data in an answer, in hex: two counts and 8 bytes that are 0. */
const answer_length = '10';

/** @param counters by unit id, four hex digits. */
export function startHpc168Line(
  line: PseudoTerminal,
  counters: ReadonlyMap<string, PolledCounter>,
): void {
  let received = '';
  line.onData((bytes) => {
    received += bytes.toString('latin1');
    for (let end = received.indexOf(etx); end !== -1; end = received.indexOf(etx)) {
      const unit = unitAsked(received.slice(received.lastIndexOf(stx, end) + 1, end));
      received = received.slice(end + 1);
      const counter = unit === null ? undefined : counters.get(unit);
      if (unit !== null && counter !== undefined) line.write(answer(unit, counter.read()));
    }
  });
}

/** The unit that a request (between STX and ETX) asks for its counts; null: no such request. */
function unitAsked(request: string): string | null {
  const [, body = '', sum = ''] = /^([0-9A-F]{8})([0-9A-F]{2})$/.exec(request) ?? [];
  const isRead = body.slice(4) === `${read_command}00` && sum === checksum(body);
  return isRead ? body.slice(0, 4) : null;
}

function answer(unit: string, counts: Sums): Buffer {
  const people = [counts.in, counts.out].map(eightDigits).join('');
  const body = unit + read_answer + answer_length + people + '0'.repeat(16);
  return Buffer.from(stx + body + checksum(body) + etx, 'latin1');
}

function eightDigits(count: number): string {
  return count.toString(16).toUpperCase().padStart(8, '0');
}

/** Sum of the bytes that the digits stand for, modulo 256. */
function checksum(digits: string): string {
  const sum = Buffer.from(digits, 'hex').reduce((total, byte) => total + byte, 0);
  return (sum % 256).toString(16).toUpperCase().padStart(2, '0');
}
