/**
 * One log for a process, as JSON lines on stderr: stdout belongs to what a command prints.
 *
 * Levels say what was lost: `warn` nothing yet, `error` a promise is not being kept, `fatal` the
 * process ends. Numbers belong in status and metrics, not here.
 */
import { fstatSync, writeSync } from 'node:fs';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';

export type Log = Logger;

/** Fields that could carry a secret, wherever they stand in a logged object. */
const secrets = ['authorization', 'credential', 'password', 'secret', 'token'];

/** Priorities of syslog(3) by pino's levels; journald takes them from `<N>` before a line. */
const priorities: readonly [level: number, priority: number][] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];
const debug_priority = 7;

/**
 * @param options.journal JOURNAL_STREAM of the environment: where it names this process's stderr,
 *   journald keeps the level of each line, so that `journalctl -p warning` shows what matters.
 */
export function createLog(options: {
  level: string;
  name: string;
  journal?: string | undefined;
}): Log {
  return pino(
    {
      name: options.name,
      level: options.level,
      base: { pid: process.pid },
      redact: {
        paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
    },
    isJournal(options.journal) ? journalStream() : pino.destination({ fd: 2, sync: true }),
  );
}

/** The variable outlives redirections and is inherited: it counts where it names our stderr. */
function isJournal(journal: string | undefined): boolean {
  if (journal === undefined) return false;
  const { dev, ino } = fstatSync(2);
  return journal === `${dev}:${ino}`;
}

/** pino tells a stream with this symbol the level of the line that it writes. */
function journalStream(): DestinationStream {
  return {
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write(line: string) {
      const found = priorities.find(([level]) => this.lastLevel >= level);
      writeSync(2, `<${found?.[1] ?? debug_priority}>${line}`);
    },
  } as DestinationStream & { lastLevel: number };
}

/** A log that says nothing, for tests and one-shot commands. */
export const silentLog: Log = pino({ level: 'silent' });
