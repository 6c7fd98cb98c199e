import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { entry, fill, newPath, openIn } from '../support/buffer-entries.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('a damaged file is set aside, never deleted, and a new epoch begins', async () => {
  const path = newPath(workspace);
  writeFileSync(path, 'this is no database '.repeat(500));
  const { buffer, recovered } = await openIn(workspace, path);
  expect(readFileSync(recovered.set_aside ?? '', 'utf8')).toContain('this is no database');
  await buffer.append([entry(1)]);
  expect((await buffer.stats()).buffered).toBe(1);
});

/** Writes rubbish over pages in the middle of a file whose journal is folded in. */
function damage(path: string, isDamaged: (page: number, pages: number) => boolean): void {
  const page_bytes = 1024;
  const file = readFileSync(path);
  const pages = file.length / page_bytes;
  for (let page = 0; page < pages; page += 1) {
    if (isDamaged(page, pages)) file.fill(0xa5, page * page_bytes, (page + 1) * page_bytes);
  }
  writeFileSync(path, file);
}

test('of a file damaged in the middle all that can be read is kept, and the rest has a number', async () => {
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  for (let from = 1; from <= 5_000; from += 500) await fill(first.buffer, from, from + 499);
  await first.buffer.close();
  damage(path, (page, pages) => page === Math.floor(pages / 2) || page === Math.floor(pages / 3));

  const { buffer, recovered } = await openIn(workspace, path);
  expect(recovered.set_aside).not.toBeNull();
  expect(recovered.epoch).not.toBe(first.recovered.epoch);
  expect(recovered.meters.map((meter) => meter.sensor_id)).toEqual(['front-door']);
  const { buffered, quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(500);
  expect(buffered + lost).toBe(5_000);
  const [row] = await buffer.quarantine(1);
  expect(row?.detail).toMatch(/^readings \d+-\d+, \d+-\d+ of epoch /);
  await buffer.append([entry(6_000)]);
  expect((await buffer.stats()).buffered).toBe(buffered + 1);
});

test('damage in a file too large to be checked at start is met where it is read', async () => {
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  for (let from = 1; from <= 5_000; from += 500) await fill(first.buffer, from, from + 499);
  await first.buffer.close();
  const grown = new Database(path);
  // Beyond what is read at start, as in a store with a long backlog.
  grown.exec('CREATE TABLE ballast (bytes BLOB); INSERT INTO ballast VALUES (zeroblob(40000000))');
  grown.close();
  damage(path, (page) => page === 40);

  const { buffer, recovered } = await openIn(workspace, path);
  expect(recovered.set_aside).not.toBeNull();
  const sent = await buffer.nextBatch('backlog', 5_000, []);
  expect(sent?.batch.epoch).not.toBe(first.recovered.epoch);
  const { buffered, quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  expect(lost).toBeGreaterThan(0);
  expect(buffered + lost).toBe(5_000);
});
