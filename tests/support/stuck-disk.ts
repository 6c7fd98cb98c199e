/** A disk that stops answering and answers again when the test says so; see stuck-disk.c. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../rules/sources.ts';

export interface StuckDisk {
  /** Of the program whose disk it is. */
  readonly environment: NodeJS.ProcessEnv;
  stick(): void;
  answer(): void;
}

/** @param folder where the library and its switch lie. */
export function stuckDisk(folder: string): StuckDisk {
  const library = join(folder, 'stuck-disk.so');
  const stuck = join(folder, 'stuck');
  const source = join(root, 'tests/support/stuck-disk.c');
  const flags = ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'];
  const made = spawnSync('cc', flags, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`stuck-disk.c did not compile: ${made.stderr}`);
  return {
    environment: { LD_PRELOAD: library, FOOTBRIDGE_STUCK_WHILE: stuck },
    stick: () => writeFileSync(stuck, ''),
    answer: () => rmSync(stuck),
  };
}
