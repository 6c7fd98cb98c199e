import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer, openBufferForReading } from '../../gateway/buffer/schema.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const mebibyte = 1024 * 1024;
const identity = { epoch: '019ff000-0000-7000-8000-000000000000', now: 0 };

function opened() {
  const path = join(workspace.folder(), 'buffer.sqlite');
  const log = new ReadingLog(openBuffer(path, identity).connection, null);
  return { path, log, journal: () => statSync(`${path}-wal`).size };
}

/** Frames of 4 KiB in one commit. */
function commit(log: ReadingLog, frames: number): void {
  const draft = new GroupDraft();
  for (let i = 0; i < frames; i += 1) {
    const bytes = new Uint8Array(4_096).fill(i);
    const frame = { source: 'a', address: '', reason: 'b', detail: '', length: 4_096, bytes };
    const quarantined = [{ ...frame, received_at: 1 }];
    draft.add({ readings: [], dedupe_key: null, meter: null, quarantined });
  }
  log.commit(draft.finish());
}

test('the journal stays within a few MiB however much is written', () => {
  const { log, journal } = opened();
  let written = 0;
  let longest = 0;
  while (written < 24 * mebibyte) {
    commit(log, 64);
    written += 64 * 4_096;
    longest = Math.max(longest, journal());
  }
  expect(longest).toBeLessThan(6 * mebibyte);
  // One commit may be longer than that, and the next ones take the room back.
  commit(log, 6_000);
  expect(journal()).toBeGreaterThan(20 * mebibyte);
  while (written < 40 * mebibyte) {
    commit(log, 64);
    written += 64 * 4_096;
  }
  expect(journal()).toBeLessThanOrEqual(16 * mebibyte);
  log.close();
});

test('nobody reads the file while it is written, so no reader can hold the journal back', () => {
  const { path, log } = opened();
  commit(log, 1);
  const reader = openBufferForReading(path);
  expect(() => reader.prepare('SELECT count(*) FROM readings').get()).toThrow(/locked/);
  reader.close();
  log.close();
});
