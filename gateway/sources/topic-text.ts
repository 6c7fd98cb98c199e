/**
 * A topic's bytes as text. A sensor names the same topic in every message: as a new text each time,
 * which is decoded, searched for wildcards and hashed to be looked up, it cost more than the rest of
 * its packet. Remembers only what it has seen, so the answer never depends on it.
 */

/** Of two topics that fall to one place the newer is remembered: a store has some hundred sensors. */
const places = 1024;
/** A longer topic is made anew each time: what strangers send must not fill the memory. */
const length_max = 128;

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}
const known: (Known | undefined)[] = new Array(places).fill(undefined);

/** @returns the text of `bytes[start, end)`, or null where no message can go there (MQTT 3.1.1, 4.7). */
export function topicText(bytes: Buffer, start: number, end: number): string | null {
  if (end - start > length_max) return readTopic(bytes, start, end);
  const place = placeOf(bytes, start, end);
  const last = known[place];
  if (last !== undefined && isSame(last.bytes, bytes, start, end)) return last.text;
  const text = readTopic(bytes, start, end);
  if (text !== null) known[place] = { bytes: Uint8Array.from(bytes.subarray(start, end)), text };
  return text;
}

function readTopic(bytes: Buffer, start: number, end: number): string | null {
  const text = bytes.toString('utf8', start, end);
  return text === '' || text.includes('#') || text.includes('+') ? null : text;
}

/** FNV-1a. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 16)) & (places - 1);
}

function isSame(one: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (one.length !== end - start) return false;
  for (let i = 0; i < one.length; i += 1) if (one[i] !== bytes[start + i]) return false;
  return true;
}
