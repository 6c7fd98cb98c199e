/**
 * One log for a process, as JSON lines on stderr: stdout belongs to what a command prints.
 *
 * Levels say what was lost: `warn` nothing yet, `error` a promise is not being kept, `fatal` the
 * process ends. Numbers belong in status and metrics, not here.
 */
import type { Logger } from 'pino';
import { pino } from 'pino';

export type Log = Logger;

/** Fields that could carry a secret, wherever they stand in a logged object. */
const secrets = ['authorization', 'credential', 'password', 'secret', 'token'];

export function createLog(options: { level: string; name: string }): Log {
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
    pino.destination({ fd: 2, sync: true }),
  );
}

/** A log that says nothing, for tests and one-shot commands. */
export const silentLog: Log = pino({ level: 'silent' });
