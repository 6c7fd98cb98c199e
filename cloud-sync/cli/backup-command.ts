/** `footbridge-hq backup run|restore`. */
import path from 'node:path';
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { makeBackup, prune, readManifest } from '../backup/backup-directory.ts';
import { backUpCluster, restoreCluster } from '../backup/cluster-backup.ts';
import { backUpDatabase, restoreDatabase } from '../backup/database-backup.ts';
import { recordRun } from '../backup/record-run.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface RunOptions extends CommonOptions {
  readonly to: string;
  readonly keep: string;
}

export function backupCommand(package_root: string): Command {
  const run = command('run', {
    summary: 'Back up the database while it works, and remove all but the newest backups.',
    example: 'footbridge-hq backup run --to /var/backups/footbridge-hq --keep 14',
  })
    .requiredOption('--to <dir>', 'directory of the backups')
    .option('--keep <number>', 'how many to keep', '14')
    .action(async (options: RunOptions) => {
      const keep = Number(options.keep);
      if (!Number.isInteger(keep) || keep < 1) {
        throw new FootbridgeError('usage', `--keep "${options.keep}": a whole number from 1`);
      }
      const context = createContext(package_root, options);
      const root = path.resolve(options.to);
      const started = new Date(context.clock.now());
      const result = await withDatabase(context, async (db, server) => {
        const made = await makeBackup(root, started, (directory) =>
          server.kind === 'embedded'
            ? backUpCluster(context.config.data_dir, server.owner_url, directory)
            : backUpDatabase(server.owner_url, directory),
        );
        await recordRun(db, started, `${made.directory}: ${made.bytes} bytes`);
        return { kind: server.kind, ...made, removed: await prune(root, keep) };
      });
      if (options.json) printJson(result);
      else printLine(`${result.directory}: ${Math.ceil(result.bytes / 1e6)} MB.`);
    });

  const restore = command('restore', {
    summary: 'Make a data directory, or fill an empty database, from a backup.',
    example:
      'footbridge-hq backup restore /var/backups/footbridge-hq/20261121T020000Z --data-dir ./new',
  })
    .argument('<dir>', 'the directory that holds its manifest.json')
    .action(async (from: string, options: CommonOptions) => {
      const { config } = createContext(package_root, options);
      const directory = path.resolve(from);
      const manifest = await readManifest(directory);
      const url = config.migration_database_url ?? config.database_url;
      if (manifest.kind === 'cluster') {
        await restoreCluster(directory, manifest, config.data_dir);
      } else if (url === undefined) {
        const detail = 'this backup is of a database: name an empty one in MIGRATION_DATABASE_URL';
        throw new FootbridgeError('usage', detail);
      } else await restoreDatabase(directory, manifest, url);
      const into = manifest.kind === 'cluster' ? config.data_dir : 'the database';
      const result = { kind: manifest.kind, created_at: manifest.created_at, into };
      if (options.json) printJson(result);
      else printLine(`Restored ${manifest.created_at} into ${into}.`);
    });

  return group('backup', 'Backups of the database.', [run, restore]);
}
