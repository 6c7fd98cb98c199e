/** `footbridge-hq rollup rebuild|status`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { foldDays } from '../rollups/fold-days.ts';
import { markForRebuild } from '../rollups/mark-hours.ts';
import { rollUp } from '../rollups/roll-up.ts';
import { lastRuns, rollupState } from '../rollups/rollup-state.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { storeByCode } from '../tenants/stores.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface Options extends CommonOptions {
  readonly org: string;
  readonly store?: string;
}

export function rollupCommand(package_root: string): Command {
  const rebuild = command('rebuild', {
    summary: 'Compute hours and days anew from the readings, while the service runs or not.',
    example: 'footbridge-hq rollup rebuild --org acme --store mad-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .option('--store <code>', 'one store; all of them without')
    .action(async (options: Options) => {
      const context = createContext(package_root, options);
      const done = await withDatabase(context, async (db) => {
        const organization = await organizationBySlug(db, options.org);
        const store =
          options.store === undefined
            ? undefined
            : await storeByCode(db, organization, options.store);
        const marked = await markForRebuild(db, organization.id, store?.id);
        const progress = (line: string) => {
          if (!options.json) printLine(line);
        };
        progress(`${marked} hours to compute.`);
        let hours = 0;
        for (let n = await rollUp(db, organization.id); n > 0; ) {
          hours += n;
          progress(`${hours} hours done.`);
          n = await rollUp(db, organization.id);
        }
        let days = 0;
        for (let n = await foldDays(db, organization.id, context.clock.now()); n > 0; ) {
          days += n;
          n = await foldDays(db, organization.id, context.clock.now());
        }
        return { hours, days };
      });
      if (options.json) printJson({ organization: options.org, ...done });
      else printLine(`Computed ${done.hours} hours and ${done.days} days.`);
    });

  const status = command('status', {
    summary: 'What waits to be computed, and what the jobs did last.',
    example: 'footbridge-hq rollup status --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: Options) => {
      const context = createContext(package_root, options);
      const { state, jobs } = await withDatabase(context, async (db) => {
        const organization = await organizationBySlug(db, options.org);
        return { state: await rollupState(db, organization.id), jobs: await lastRuns(db) };
      });
      if (options.json) printJson({ organization: options.org, ...state, jobs });
      else {
        printLine(`${state.dirty_hours} hours and ${state.dirty_days} days wait.`);
        printTable(
          ['job', 'started', 'outcome', 'detail'],
          jobs.map((run) => [run.job, run.started_at, run.outcome ?? 'running', run.detail]),
        );
      }
    });
  return group('rollup', 'Hours and days from readings.', [rebuild, status]);
}
