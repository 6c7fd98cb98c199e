/** A process whose wall clock is wrong from its first moment; see wrong-clock.c. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../rules/sources.ts';

/** @returns the environment of a program whose clock is so many seconds ahead; negative: behind. */
export function clockAhead(folder: string, seconds: number): NodeJS.ProcessEnv {
  const library = join(folder, 'wrong-clock.so');
  const source = join(root, 'tests/support/wrong-clock.c');
  const flags = ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'];
  const made = spawnSync('cc', flags, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`wrong-clock.c did not compile: ${made.stderr}`);
  return { LD_PRELOAD: library, FOOTBRIDGE_CLOCK_AHEAD_S: String(seconds) };
}
