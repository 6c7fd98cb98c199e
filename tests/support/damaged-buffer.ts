/** A buffer too large to be read whole at start, what is true of it, and ways to damage its file. */
import { randomFillSync } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { batchIn } from './buffer-entries.ts';
import type { Workspace } from './workspace.ts';

/** More than are taken out of a damaged file before counting goes on. */
export const rows = 130_000;
/** HQ has them; they are still in the file. */
const delivered = 20_000;
const doors = 20;
const start = 1_767_225_600_000;
const page_bytes = 1024;

/** Where reading `sequence` counted, and when. */
function nameOf(sequence: number): string {
  return `door-${sequence % doors} ${start + Math.floor(sequence / doors) * 60_000}`;
}

/** A file of {@link rows} readings, and of more bytes than are checked at start. */
export function largeBuffer(folder: string): string {
  const path = join(folder, 'large.sqlite');
  const { connection } = openBuffer(path, { epoch: systemClock.uuid(), now: 0 });
  const word = connection.prepare('INSERT INTO words (word) VALUES (?)');
  for (let door = 0; door < doors; door += 1) word.run(`door-${door}`);
  connection.exec(`
    INSERT INTO meters (sensor, start_second, since) SELECT id, 1767225600, 0 FROM words;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO readings (sequence, sensor, observed_at, interval_s, in_count, out_count, received,
      flags, message_key)
    SELECT i, 1 + i % ${doors}, ${start} + i / ${doors} * 60000, 60, i % 7, i % 5,
      0, 0, CAST(printf('%012d', i) AS BLOB) FROM n;
    UPDATE life SET settled_sequence = ${delivered};
    CREATE TABLE ballast (bytes BLOB);
    INSERT INTO ballast VALUES (zeroblob(33554432)), (zeroblob(1000000));
    DELETE FROM ballast WHERE rowid = 2`);
  connection.close();
  return path;
}

/** A copy of the file to be damaged. */
export function copyOf(large: string, workspace: Workspace): string {
  const path = join(workspace.folder(), 'buffer.sqlite');
  copyFileSync(large, path);
  return path;
}

/** Pages of a table in the order of what they hold. */
export function pagesOf(path: string, table: string, type: 'leaf' | 'internal'): number[] {
  const file = new Database(path, { readonly: true });
  const select = file.prepare(
    'SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path',
  );
  const pages = select.pluck().all(table, type) as number[];
  file.close();
  return pages;
}

export function overwrite(path: string, page: number | undefined, how: 'zeros' | 'noise'): void {
  const bytes = Buffer.alloc(page_bytes);
  if (how === 'noise') randomFillSync(bytes);
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, page_bytes, ((page ?? 1) - 1) * page_bytes);
  closeSync(file);
}

export function cutAfter(path: string, page: number | undefined): void {
  truncateSync(path, (page ?? 1) * page_bytes);
}

/** First page of the list of free pages, by the file's head. */
export function freePage(path: string): number {
  const file = openSync(path, 'r');
  const head = Buffer.alloc(100);
  readSync(file, head);
  closeSync(file);
  return head.readUInt32BE(32);
}

export interface Arrived {
  /** Readings of the large buffer that HQ has in the end, each under its sensor and time. */
  readonly known: number;
  /** What the ledger says of damage. */
  readonly lost: number;
  /** Readings that are none of the buffer's, or not as they were. */
  readonly wrong: string[];
}

/** Delivers until nothing waits, to an HQ that had {@link delivered} readings before. */
export async function drained(buffer: ReadingBuffer): Promise<Arrived> {
  const truth = new Map<string, number>();
  for (let sequence = 1; sequence <= rows; sequence += 1) truth.set(nameOf(sequence), sequence);
  const hq = new Set<string>();
  for (let sequence = 1; sequence <= delivered; sequence += 1) hq.add(nameOf(sequence));
  const wrong: string[] = [];
  while ((await buffer.stats()).buffered > 0) {
    const sent =
      (await buffer.nextBatch('backlog', 5_000, [])) ?? (await buffer.nextBatch('live', 5_000, []));
    const batch = batchIn(sent);
    if (sent === null || batch === null) {
      await systemClock.sleep(5);
      continue;
    }
    const { sensor, observed_at, in: entered } = batch.counts;
    for (const [row, place] of sensor.entries()) {
      const name = `${batch.sensors[place]} ${observed_at[row]}`;
      const sequence = truth.get(name);
      if (sequence !== undefined && entered[row] === sequence % 7) hq.add(name);
      else wrong.push(name);
    }
    await buffer.settle(sent.batch, []);
  }
  const { quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  return { known: hq.size, lost, wrong };
}
