/**
 * A journal with a damaged page in its middle. SQLite takes such a page for the end, where a power cut has
 * torn it, and forgets every commit after it without a word. But commits are synced one after the other: a
 * page that a later commit follows was whole once. Then the journal is written anew without that page.
 *
 * Format: sqlite.org/fileformat2.html#the_write_ahead_log.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { isInUse } from './buffer-file.ts';

const header_bytes = 32;
const frame_header_bytes = 24;
const magic_little_endian = 0x377f0682;

type Sum = readonly [number, number];

interface Frame {
  /** Its page's number and, where it ends a commit, the size of the database. */
  readonly head: Buffer;
  readonly page: Buffer;
  /** Whether it is what was written after the frame before it. */
  readonly isWhole: boolean;
  readonly endsCommit: boolean;
}

/**
 * The damaged journal is kept beside the new one.
 *
 * @param now ms since the epoch.
 * @returns whether there was damage: then pages of the database may be older than others.
 */
export function mendJournal(database: string, now: number): boolean {
  const path = `${database}-wal`;
  if (!existsSync(path) || !existsSync(database)) return false;
  const journal = readFileSync(path);
  const frames = framesOf(journal);
  const bad = frames.findIndex(({ isWhole }) => !isWhole);
  const end = lastCommit(frames);
  if (bad === -1 || end < bad || isInUse(database)) return false;
  const whole = frames.slice(0, end + 1).filter(({ isWhole }) => isWhole);
  const mended = `${path}.new`;
  writeFileSync(mended, written(journal, whole));
  const file = openSync(mended, 'r+');
  fsyncSync(file);
  closeSync(file);
  renameSync(path, `${database}.damaged-journal-${now}`);
  renameSync(mended, path);
  return true;
}

/** Of the present round; what stands behind them is of an earlier one. */
function framesOf(journal: Buffer): Frame[] {
  if (journal.length < header_bytes) return [];
  const page_bytes = journal.readUInt32BE(8);
  const frame_bytes = frame_header_bytes + page_bytes;
  const add = summing(journal);
  const salt = journal.subarray(16, 24);
  const frames: Frame[] = [];
  let before: Sum = [journal.readUInt32BE(24), journal.readUInt32BE(28)];
  for (let at = header_bytes; at + frame_bytes <= journal.length; at += frame_bytes) {
    const head = journal.subarray(at, at + 8);
    const page = journal.subarray(at + frame_header_bytes, at + frame_bytes);
    const kept: Sum = [journal.readUInt32BE(at + 16), journal.readUInt32BE(at + 20)];
    const sum = add(add(before, head), page);
    const isOfRound = salt.equals(journal.subarray(at + 8, at + 16));
    const isWhole = isOfRound && sum[0] === kept[0] && sum[1] === kept[1];
    frames.push({ head, page, isWhole, endsCommit: isOfRound && head.readUInt32BE(4) > 0 });
    before = kept;
  }
  return frames;
}

/** The last commit whose frames are all whole, after the commit before it; -1 where there is none. */
function lastCommit(frames: readonly Frame[]): number {
  let end = -1;
  let isWhole = true;
  for (const [at, frame] of frames.entries()) {
    isWhole &&= frame.isWhole;
    if (!frame.endsCommit) continue;
    if (isWhole) end = at;
    // The next begins here, be this frame damaged or not.
    isWhole = true;
  }
  return end;
}

function written(journal: Buffer, frames: readonly Frame[]): Buffer {
  const add = summing(journal);
  let sum: Sum = [journal.readUInt32BE(24), journal.readUInt32BE(28)];
  const parts = [journal.subarray(0, header_bytes)];
  for (const { head, page } of frames) {
    sum = add(add(sum, head), page);
    const sums = Buffer.alloc(8);
    sums.writeUInt32BE(sum[0], 0);
    sums.writeUInt32BE(sum[1], 4);
    parts.push(head, journal.subarray(16, 24), sums, page);
  }
  return Buffer.concat(parts);
}

/** Sums go over words in the order of the machine that wrote them. */
function summing(journal: Buffer): (before: Sum, bytes: Buffer) => Sum {
  const isLittle = journal.readUInt32BE(0) === magic_little_endian;
  return ([a, b], bytes) => {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let [first, second] = [a, b];
    for (let at = 0; at < bytes.length; at += 8) {
      first = (first + words.getUint32(at, isLittle) + second) >>> 0;
      second = (second + words.getUint32(at + 4, isLittle) + first) >>> 0;
    }
    return [first, second];
  };
}
