/** `footbridge-hq calendar set|show`. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import type { Calendar } from '../tenants/calendars.ts';
import { calendarOf, calendarSchema, setCalendar } from '../tenants/calendars.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { validated } from './validated.ts';

interface Options extends CommonOptions {
  readonly org: string;
}

export function calendarCommand(package_root: string): Command {
  const set = command('set', {
    summary: 'Say how weeks, months and years are counted; reports follow at once.',
    example: 'footbridge-hq calendar set --org acme --kind 4-5-4',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--kind <kind>', 'iso, 4-5-4 (National Retail Federation) or custom')
    .option('--week-starts <weekday>', 'custom: such as saturday')
    .option('--year-starts <MM-DD>', 'custom: the year starts on the weekday nearest to it')
    .option('--weeks <pattern>', 'custom: 4-5-4, 4-4-5 or 5-4-4; without, months are calendar ones')
    .action(async (options: Options) => {
      const calendar = validated(calendarSchema, options);
      await withDatabase(createContext(package_root, options), async (db) =>
        setCalendar(db, await organizationBySlug(db, options.org), calendar),
      );
      tell(options, calendar);
    });

  const show = command('show', {
    summary: 'Show how weeks, months and years are counted.',
    example: 'footbridge-hq calendar show --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: Options) => {
      const calendar = await withDatabase(createContext(package_root, options), async (db) =>
        calendarOf(db, await organizationBySlug(db, options.org)),
      );
      tell(options, calendar);
    });
  return group('calendar', 'Weeks, months and years of an organization.', [set, show]);
}

function tell(options: Options, calendar: Calendar): void {
  if (options.json) {
    printJson({ organization: options.org, ...calendar });
    return;
  }
  const months = calendar.weeks === null ? 'calendar months' : `months of ${calendar.weeks} weeks`;
  printLine(
    `${options.org}: weeks start on ${calendar.week_starts}, years on the one nearest to ${calendar.year_starts}; ${months}.`,
  );
}
