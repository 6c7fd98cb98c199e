import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { fill, newPath, openIn } from '../support/buffer-entries.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const frame_bytes = 24 + 1024;
const commits = 20;
const readings = 2_000;

/** What a killed gateway leaves: all of it stands in the journal. */
async function killed(): Promise<string> {
  const path = newPath(workspace);
  const { buffer } = await openIn(workspace, path);
  const each = readings / commits;
  for (let from = 1; from <= readings; from += each) await fill(buffer, from, from + each - 1);
  const left = newPath(workspace);
  for (const journal of ['', '-wal']) copyFileSync(path + journal, left + journal);
  return left;
}

function damageFrame(path: string, share: number): void {
  const journal = readFileSync(`${path}-wal`);
  const frames = Math.floor((journal.length - 32) / frame_bytes);
  const at = 32 + Math.floor((frames - 1) * share) * frame_bytes;
  journal.fill(0xa5, at + 100, at + 600);
  writeFileSync(`${path}-wal`, journal);
}

async function found(path: string) {
  const { buffer, recovered } = await openIn(workspace, path);
  const { buffered, quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  return { set_aside: recovered.set_aside, buffered, lost };
}

test('a journal as a killed process leaves it is taken as it is', async () => {
  expect(await found(await killed())).toEqual({ set_aside: null, buffered: readings, lost: 0 });
});

test.each([0.3, 0.5, 0.7])(
  'commits after a damaged page of the journal count (%s)',
  async (share) => {
    const path = await killed();
    damageFrame(path, share);
    const { set_aside, buffered, lost } = await found(path);
    expect(set_aside).not.toBeNull();
    expect(buffered + lost).toBe(readings);
    expect(lost).toBeLessThan(readings / commits);
    const kept = readdirSync(dirname(path)).filter((name) => name.includes('damaged-journal'));
    expect(kept).toHaveLength(1);
  },
);

test('the torn end of a commit that nobody was told of is no damage', async () => {
  const path = await killed();
  damageFrame(path, 1);
  const { set_aside, buffered, lost } = await found(path);
  expect({ set_aside, lost }).toEqual({ set_aside: null, lost: 0 });
  expect(buffered).toBeGreaterThanOrEqual(readings - 2 * (readings / commits));
  expect(statSync(path).size).toBeGreaterThan(0);
});

test('a journal that another process writes is left alone', async () => {
  const path = newPath(workspace);
  const { buffer } = await openIn(workspace, path);
  for (let from = 1; from <= 500; from += 100) await fill(buffer, from, from + 99);
  damageFrame(path, 0.3);
  await expect(openIn(workspace, path)).rejects.toMatchObject({ code: 'already_running' });
  expect(readdirSync(dirname(path)).filter((name) => name.includes('damaged'))).toEqual([]);
});
