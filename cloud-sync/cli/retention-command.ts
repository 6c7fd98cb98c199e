/** `footbridge-hq retention run|status|restore`. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { isBucketAddress, openBucket } from '../retention/bucket.ts';
import { fetchArchive } from '../retention/bucket-archive.ts';
import { dueMonths, restoreMonth, runRetention } from '../retention/retention.ts';
import { command, group } from './command.ts';
import type { CommonOptions, Context } from './context.ts';
import { createContext, withDatabase } from './context.ts';

export function retentionCommand(package_root: string): Command {
  const run = command('run', {
    summary:
      'Archive and drop raw months after 90 days; delete hours after 2 years, days after 5, alerts after 1.',
    example: 'footbridge-hq retention run --archive /var/lib/footbridge-hq/archive',
  })
    .requiredOption(
      '--archive <place>',
      'directory, or s3://bucket/prefix, for the months that are dropped',
    )
    .action(async (options: CommonOptions & { archive: string }) => {
      const context = createContext(package_root, options);
      const place = archivePlace(context, options.archive);
      const result = await withDatabase(context, (db) =>
        runRetention(db, { ...place, clock: context.clock }),
      );
      if (options.json) printJson(result);
      else {
        for (const { relation, month, rows, archive, dropped } of result.archived) {
          const then = dropped ? 'dropped' : 'kept: readings arrived meanwhile; run again';
          printLine(`${relation} ${month}: ${rows} rows in ${archive}, ${then}`);
        }
        for (const [name, rows] of Object.entries(result.deleted)) printLine(`${name}: ${rows}`);
      }
      if (result.archived.some(({ dropped }) => !dropped)) process.exitCode = exitCode.fault;
    });

  const status = command('status', {
    summary: 'Show the raw months that are older than they are kept; exit 1 when there are any.',
    example: 'footbridge-hq retention status --json',
  }).action(async (options: CommonOptions) => {
    const context = createContext(package_root, options);
    const due = await withDatabase(context, (db) => dueMonths(db, context.clock.now()));
    if (options.json) printJson({ due });
    else if (due.length === 0) printLine('Nothing is due.');
    else
      for (const { relation, month, rows } of due) printLine(`${relation} ${month}: ${rows} rows`);
    if (due.length > 0) process.exitCode = exitCode.fault;
  });

  const restore = command('restore', {
    summary: 'Bring a month back from where the archive has it.',
    example: 'footbridge-hq retention restore ./archive/people_counting_raw/2026-07',
  })
    .argument('<place>', 'the directory or s3:// address that holds its manifest.json')
    .action(async (place: string, options: CommonOptions) => {
      const context = createContext(package_root, options);
      const directory = isBucketAddress(place)
        ? passing(context, 'restored-month')
        : path.resolve(place);
      if (isBucketAddress(place)) {
        await fetchArchive(openBucket(place, context.config.bucket), directory);
      }
      const result = await withDatabase(context, (db) => restoreMonth(db, directory));
      if (isBucketAddress(place)) await rm(directory, { recursive: true });
      if (options.json) printJson(result);
      else
        printLine(`${result.relation} ${result.month}: ${result.restored} of ${result.rows} rows.`);
    });

  return group('retention', 'What is kept how long.', [run, status, restore]);
}

function archivePlace(context: Context, archive: string) {
  return isBucketAddress(archive)
    ? {
        archive_dir: passing(context, 'archived-months'),
        bucket: openBucket(archive, context.config.bucket),
      }
    : { archive_dir: path.resolve(archive) };
}

/** Where files pass through on their way to or from a bucket; a month may be large for /tmp. */
function passing({ config }: Context, name: string): string {
  return path.join(config.data_dir, name);
}
