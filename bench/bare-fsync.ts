/** What the disk itself takes for a commit, whatever writes it: the limit of every delay to durable. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../shared/runtime/clock.ts';

const clock = systemClock;
/** As much as a hundred readings and their meters put into the journal. */
const commit_bytes = 16 * 1024;
const commits = 300;

/** Appends and syncs as often as a busy gateway commits: p50 and p99 of both together, ms. */
export async function bareFsync(folder: string): Promise<{ p50_ms: number; p99_ms: number }> {
  const file = openSync(join(folder, 'bare-fsync'), 'w');
  const bytes = Buffer.alloc(commit_bytes, 1);
  const took: number[] = [];
  for (let i = 0; i < commits; i += 1) {
    const start = clock.monotonic();
    writeSync(file, bytes);
    fdatasyncSync(file);
    took.push(clock.monotonic() - start);
    await clock.sleep(10);
  }
  closeSync(file);
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.floor(commits * part)] ?? 0;
  return { p50_ms: at(0.5), p99_ms: at(0.99) };
}
