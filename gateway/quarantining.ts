/** What is kept of a frame, or of a part of it, that could not be used. */
import { type Entry, type QuarantinedFrame, quarantine_bytes_kept } from './buffer/entry.ts';
import { withheld } from './profiles/withheld.ts';
import type { Frame } from './sources/source.ts';

export function quarantining(frame: Frame, reason: string, detail: string): Entry {
  const quarantined: QuarantinedFrame = {
    source: frame.source,
    address: frame.address.slice(0, 1000),
    reason,
    detail: detail.slice(0, 500),
    bytes: headOf(frame),
    length: frame.bytes.length,
    received_at: frame.received_at,
  };
  return { readings: [], dedupe_key: null, meter: null, quarantined: [quarantined] };
}

const heads = new WeakMap<Frame, Uint8Array>();

/**
 * A copy: a view would keep the whole message in memory for as long as the disk fails. Made once, where
 * several parts of one frame stand in quarantine.
 */
function headOf(frame: Frame): Uint8Array {
  const known = heads.get(frame);
  if (known !== undefined) return known;
  const head = withheld(frame.bytes, quarantine_bytes_kept);
  heads.set(frame, head);
  return head;
}
