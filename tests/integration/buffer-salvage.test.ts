/**
 * Files damaged where nobody looks at start. The law: what SQLite can still read reaches HQ, what it cannot
 * stands in the ledger as its number, and counting goes on meanwhile.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile } from '../../gateway/buffer/buffer-file.ts';
import type { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { replaceDamaged } from '../../gateway/buffer/replacement.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { entry, openIn } from '../support/buffer-entries.ts';
import {
  copyOf,
  cutAfter,
  drained,
  freePage,
  largeBuffer,
  overwrite,
  pagesOf,
  rows,
} from '../support/damaged-buffer.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const folder = mkdtempSync(join(tmpdir(), 'footbridge-test-'));
let large = '';
let leaves: number[] = [];
let internal: number[] = [];
beforeAll(() => {
  large = largeBuffer(folder);
  leaves = pagesOf(large, 'readings', 'leaf');
  internal = pagesOf(large, 'readings', 'internal');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Any reading asked for, the newest for its keys: what a start and the first minutes do. */
async function countsOn(buffer: ReadingBuffer): Promise<void> {
  const new_one = entry(0).readings.map((reading) => ({ ...reading, sensor_id: 'new-door' }));
  await buffer.append([entry(0, { readings: new_one })]);
}

const leaf = (share: number) => leaves[Math.floor((leaves.length - 1) * share)];
const rowsIn = (pages: number) => Math.ceil((rows / leaves.length) * pages * 1.5);
const leavesBelow = () => leaves.length / (internal.length - 1);
const at = { start: 'at start', running: 'while it runs' };

type Case = [what: string, when: string, damage: (path: string) => void, lost_max: () => number];
const damages: Case[] = [
  [
    'a page of the oldest that wait',
    at.running,
    (path) => overwrite(path, leaf(0.2), 'zeros'),
    () => rowsIn(1),
  ],
  [
    'a page in the middle',
    at.start,
    (path) => overwrite(path, leaf(0.5), 'noise'),
    () => rowsIn(1),
  ],
  [
    'an interior page',
    at.running,
    (path) => overwrite(path, internal[3], 'zeros'),
    () => rowsIn(leavesBelow()),
  ],
  ['the newest page', at.running, (path) => overwrite(path, leaf(1), 'zeros'), () => rowsIn(1)],
  [
    'the words',
    at.start,
    (path) => overwrite(path, pagesOf(large, 'words', 'leaf')[0], 'zeros'),
    () => 0,
  ],
  [
    'the meters',
    at.start,
    (path) => overwrite(path, pagesOf(large, 'meters', 'leaf')[0], 'noise'),
    () => 0,
  ],
  [
    'the life of the file',
    at.start,
    (path) => overwrite(path, pagesOf(large, 'life', 'leaf')[0], 'zeros'),
    () => 0,
  ],
  [
    'the list of free pages',
    at.running,
    (path) => overwrite(path, freePage(path), 'noise'),
    () => 0,
  ],
];

test.each(damages)('%s is damaged, %s', async (_what, when, damage, lost_max) => {
  const path = copyOf(large, workspace);
  if (when === at.start) damage(path);
  const { buffer } = await openIn(workspace, path);
  if (when === at.running) damage(path);
  await countsOn(buffer);
  const { known, lost, wrong } = await drained(buffer);
  expect(wrong).toEqual(['new-door 1767225600000']);
  expect(known + lost).toBe(rows);
  expect(lost).toBeLessThanOrEqual(lost_max());
});

test('the newest pages are gone before the start: how many they held stands nowhere', async () => {
  const path = copyOf(large, workspace);
  overwrite(path, internal.at(-1), 'noise');
  const { buffer } = await openIn(workspace, path);
  await countsOn(buffer);
  const { known, lost, wrong } = await drained(buffer);
  expect(wrong).toHaveLength(1);
  expect(known).toBeGreaterThan(rows - rowsIn(leavesBelow()));
  expect(lost).toBe(1);
});

test('a file that ends too early', async () => {
  const path = copyOf(large, workspace);
  cutAfter(path, leaf(0.6));
  const { buffer } = await openIn(workspace, path);
  await countsOn(buffer);
  const { known, lost } = await drained(buffer);
  expect(known).toBeGreaterThan(0.6 * rows - rowsIn(leavesBelow()));
  expect(lost).toBeGreaterThan(0);
});

/** The file's place is taken by another, of which one piece more than at once is taken out. */
function partlySalvaged(path: string): { set_aside: string } {
  const { connection, set_aside } = replaceDamaged(path, { epoch: systemClock.uuid(), now: 1 });
  const log = new ReadingLog(connection, set_aside);
  log.salvage.step(2);
  expect(log.salvage.left).toBeGreaterThan(0);
  log.close();
  return { set_aside };
}

test('a process that ends while readings follow goes on where it stopped', async () => {
  const path = copyOf(large, workspace);
  overwrite(path, leaf(0.2), 'noise');
  partlySalvaged(path);
  const { buffer, recovered } = await openIn(workspace, path);
  expect(recovered.set_aside).toBeNull();
  const { known, lost, wrong } = await drained(buffer);
  expect({ all: known + lost, wrong }).toEqual({ all: rows, wrong: [] });
  expect(lost).toBeGreaterThan(0);
});

test('the file that took a damaged one’s place is damaged too before all have followed', async () => {
  const path = copyOf(large, workspace);
  overwrite(path, leaf(0.2), 'noise');
  partlySalvaged(path);
  const [, , second] = pagesOf(path, 'readings', 'leaf');
  overwrite(path, second, 'zeros');
  const { buffer } = await openIn(workspace, path);
  await countsOn(buffer);
  const { known, lost, wrong } = await drained(buffer);
  expect(wrong).toHaveLength(1);
  // What the second damage took of the first thousands, HQ had.
  expect(known + lost).toBe(rows);
});

test.each([
  ['before the damaged file is renamed', ['', '.damaged-1']],
  ['after it, before the new one has its name', ['.damaged-1', '.damaged-1']],
])('a process is killed %s', async (_when, [old = '']) => {
  const path = copyOf(large, workspace);
  overwrite(path, leaf(0.5), 'zeros');
  const { connection, set_aside } = replaceDamaged(path, { epoch: systemClock.uuid(), now: 1 });
  connection.close();
  renameSync(path, `${path}.new`);
  renameSync(set_aside, path + old);
  const { buffer } = await openIn(workspace, path);
  await countsOn(buffer);
  const { known, lost } = await drained(buffer);
  expect(known + lost).toBe(rows);
  expect(existsSync(set_aside)).toBe(true);
});

test('a new file that was not finished is made again', async () => {
  const path = copyOf(large, workspace);
  overwrite(path, leaf(0.2), 'zeros');
  const { connection } = openFile(`${path}.new`, { epoch: systemClock.uuid(), now: 0 });
  connection.close();
  const { buffer } = await openIn(workspace, path);
  const { known, lost } = await drained(buffer);
  expect(known + lost).toBe(rows);
});

test('deleting what HQ has had for long takes steps, however much it is', () => {
  const path = copyOf(large, workspace);
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.prepare('UPDATE life SET settled_sequence = ?').run(rows - 10);
  const log = new ReadingLog(connection, null, { delivered_rows: 10 });
  const left = connection.prepare('SELECT count(*) FROM readings').pluck();
  const seen: unknown[] = [];
  for (const batch_id of 'abcdefgh') {
    const sent = log.nextBatch('backlog', { rows_max: 1, batch_id, held: [] });
    if (sent !== null) log.settle(sent.batch, [], 0);
    seen.push(left.get());
  }
  expect(seen).toEqual([110_000, 90_000, 70_000, 50_000, 30_000, 10_000, 13, 12]);
  log.close();
});
