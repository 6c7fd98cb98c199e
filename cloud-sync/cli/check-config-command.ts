/** `footbridge-hq check-config`: the environment, checked before the service starts. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { readConfig } from '../config.ts';
import { command } from './command.ts';
import type { CommonOptions } from './context.ts';

export function checkConfigCommand(): Command {
  return command('check-config', {
    summary: 'Check the environment without connecting to anything; exit 78 when it is wrong.',
    example: 'footbridge-hq check-config',
  }).action((options: CommonOptions) => {
    const { database_url, data_dir, log_level } = readConfig();
    const database = database_url === undefined ? `embedded, in ${data_dir}` : 'DATABASE_URL';
    if (options.json === true) printJson({ ok: true, database, log_level });
    else printLine(`good: database ${database}, log level ${log_level}`);
  });
}
