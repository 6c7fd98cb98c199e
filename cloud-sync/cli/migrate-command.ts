/** `footbridge-hq migrate up|down|status|make`. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { makeMigration, migrate, schemaState } from '../db/migrations.ts';
import { Database } from '../db/pool.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withServer } from './context.ts';

export function migrateCommand(package_root: string): Command {
  const run = async (direction: 'up' | 'down', options: CommonOptions, count?: number) => {
    const context = createContext(package_root, options);
    // Before the first migration the login that serves does not exist.
    const { config } = context;
    const database_url = config.migration_database_url ?? config.database_url;
    const asOwner = { ...context, config: { ...config, database_url } };
    const names = await withServer(asOwner, (server) =>
      migrate({
        url: server.owner_url,
        directory: context.migrations_dir,
        direction,
        ...(count === undefined ? {} : { count }),
        log: context.log,
      }),
    );
    if (options.json) printJson({ direction, migrations: names });
    else if (names.length === 0) printLine('Nothing to do.');
    else for (const name of names) printLine(`${direction}  ${name}`);
  };

  const up = command('up', {
    summary: 'Apply what is pending, in one transaction.',
    example: 'MIGRATION_DATABASE_URL=postgres://owner@db/footbridge footbridge-hq migrate up',
  }).action((options: CommonOptions) => run('up', options));

  const down = command('down', {
    summary: 'Take the youngest migrations back. What they added is lost.',
    example: 'footbridge-hq migrate down --count 1',
  })
    .option('--count <n>', 'how many', '1')
    .action((options: CommonOptions & { count: string }) => {
      const count = Number(options.count);
      if (!Number.isInteger(count) || count < 1) {
        throw new FootbridgeError('usage', `--count "${options.count}": use a whole number`);
      }
      return run('down', options, count);
    });

  const status = command('status', {
    summary: 'Show what is applied and pending; exit 1 when the schema does not fit.',
    example: 'footbridge-hq migrate status --json',
  }).action(async (options: CommonOptions) => {
    const context = createContext(package_root, options);
    const state = await withServer(context, async (server) => {
      const db = new Database({ url: server.service_url, log: context.log, name: 'migrate' });
      try {
        return await schemaState(db, context.migrations_dir);
      } finally {
        await db.close();
      }
    });
    if (options.json) printJson(state);
    else {
      for (const [kind, names] of Object.entries(state)) {
        for (const name of names) printLine(`${kind.padEnd(8)} ${name}`);
      }
    }
    if (state.pending.length + state.unknown.length > 0) process.exitCode = exitCode.fault;
  });

  const make = command('make', {
    summary: 'Start the next migration: a file with its number, the way up and the way down.',
    example: 'footbridge-hq migrate make "loyalty cards"',
    json: false,
  })
    .argument('<name>', 'what it is for')
    .action(async (name: string, options: CommonOptions) => {
      const { migrations_dir } = createContext(package_root, options);
      printLine(await makeMigration(migrations_dir, name));
    });

  return group('migrate', 'Bring the schema up or back.', [up, down, status, make]);
}
