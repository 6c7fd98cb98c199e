/** A message as a frame, whatever carried it; of one that is too large only the head is kept. */
import { type Frame, frame_bytes_max } from './source.ts';

/** Bytes of an oversized message that are kept to show what it was. */
const head_bytes = 4096;

/** @param length as received, where only the head is there. */
export function boundedFrame(
  address: string,
  bytes: Uint8Array,
  retained: boolean,
  length = bytes.length,
): Omit<Frame, 'source' | 'received_at'> {
  const frame = { address, bytes, retained };
  if (length <= frame_bytes_max) return frame;
  const detail = `${length} bytes where ${frame_bytes_max} are taken`;
  return {
    ...frame,
    bytes: new Uint8Array(bytes.subarray(0, head_bytes)),
    fault: { reason: 'too_large', detail },
  };
}
