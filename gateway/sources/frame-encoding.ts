/** Puts a request between the markers and the checksum of a line's framing. Pure. */
import { checksumOf } from './checksum.ts';
import type { Framing } from './framing.ts';

/** @param text the body as it reads on the line: hex digits where the framing is ascii-hex. */
export function encodeFrame(framing: Framing, text: string): Uint8Array {
  const start = Buffer.from(framing.start ?? '', 'hex');
  const end = Buffer.from(framing.kind === 'delimited' ? framing.end : '', 'hex');
  const body = bodyBytes(framing, text);
  const { checksum } = framing;
  const covered = checksum?.over === 'start_and_body' ? Buffer.concat([start, body]) : body;
  const check = checksum === undefined ? Buffer.alloc(0) : checksumOf(checksum.kind, covered);
  const inner = Buffer.concat([body, check]);
  const written = isHex(framing)
    ? Buffer.from(inner.toString('hex').toUpperCase(), 'latin1')
    : inner;
  return Buffer.concat([start, written, end]);
}

/** The decoded bytes of a body that reads like this on the line. */
export function bodyBytes(framing: Framing, text: string): Uint8Array {
  return Buffer.from(text, isHex(framing) ? 'hex' : 'latin1');
}

function isHex(framing: Framing): boolean {
  return framing.kind === 'delimited' && framing.encoding === 'ascii-hex';
}
