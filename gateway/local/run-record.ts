/**
 * When the daemon started and whether it ended in order: a process that is killed again and again
 * cannot say so itself, and systemd forgets with the next boot.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';

const runSchema = z.object({
  /** ms since the epoch. */
  started_at: z.number(),
  /** When it stopped as it was told to; null while it runs, and for ever when it was killed. */
  ended_at: z.number().nullable(),
  version: z.string(),
});
export type Run = z.infer<typeof runSchema>;

const runs_kept = 20;

export function runRecord(options: {
  path: string;
  version: string;
  clock: Clock;
  log: Log;
}): Part {
  const { path, version, clock, log } = options;
  const started_at = clock.now();
  const write = (ended_at: number | null) => {
    const before = readRuns(path).filter((run) => run.started_at !== started_at);
    const runs = [...before, { started_at, ended_at, version }].slice(-runs_kept);
    try {
      writeFileSync(`${path}.new`, `${JSON.stringify(runs)}\n`);
      renameSync(`${path}.new`, path);
    } catch (error) {
      // A full disk must not keep the gateway from reading what it already has to send.
      log.warn({ detail: errorText(error) }, 'the run is not recorded');
    }
  };
  return { name: 'run-record', start: () => write(null), stop: () => write(clock.now()) };
}

/** Oldest first; empty where there is no record, or a damaged one. */
export function readRuns(path: string): Run[] {
  if (!existsSync(path)) return [];
  try {
    return z.array(runSchema).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return [];
  }
}
