/** `footbridge-hq report hours|totals|days|periods|alerts|commissioning`. */
import type { Command } from 'commander';
import { z } from 'zod';
import { printJson, printTable } from '../../shared/runtime/command-output.ts';
import { alertsOf } from '../reports/alerts.ts';
import { commissioningOf } from '../reports/commissioning.ts';
import { daysOf, totalsOf } from '../reports/days.ts';
import { hoursOf } from '../reports/hours.ts';
import { period_kinds, periodsOf } from '../reports/periods.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { instantOption } from './instant-option.ts';
import { personAsking } from './person-asking.ts';
import {
  commissioning_columns,
  commissioningRow,
  day_columns,
  dayRow,
  period_columns,
  periodRow,
  total_columns,
  totalRow,
} from './report-tables.ts';
import { validated } from './validated.ts';

interface HoursOptions extends CommonOptions {
  readonly org: string;
  readonly store: string;
  readonly as: string;
  readonly from?: string;
  readonly to?: string;
}

const periodSchema = z.object({
  by: z.enum(period_kinds, { error: `use ${period_kinds.join(', ')}` }),
});

interface AlertsOptions extends CommonOptions {
  readonly org: string;
  readonly as: string;
  readonly open?: boolean;
}

export function reportCommand(package_root: string): Command {
  const hours = command('hours', {
    summary: 'Hours of a store in its own time, as this person may see them.',
    example: 'footbridge-hq report hours --org acme --store mad-1 --as mar@acme.example',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--as <email>', 'the person asking')
    .option('--from <time>', 'hours that start at or after, ISO 8601 with offset')
    .option('--to <time>', 'hours that start before, ISO 8601 with offset')
    .action(async (options: HoursOptions) => {
      const window = {
        from: instantOption('--from', options.from),
        to: instantOption('--to', options.to),
      };
      const context = createContext(package_root, options);
      const report = await withDatabase(context, async (db) => {
        return hoursOf(db, await personAsking(db, options), options.store, window);
      });
      if (options.json) printJson({ organization: options.org, ...report });
      else {
        printTable(
          ['date', 'hour', 'sensor', 'in', 'out', 'covered'],
          report.hours.map((hour) => [
            hour.local_date,
            `${String(hour.local_hour).padStart(2, '0')}:00`,
            hour.sensor_id,
            hour.total_in,
            hour.total_out,
            `${Math.round(hour.covered_s / 36)} %`,
          ]),
        );
      }
    });

  const totals = command('totals', {
    summary: 'Hours of a store, all entrances together, with how complete they are.',
    example: 'footbridge-hq report totals --org acme --store mad-1 --as mar@acme.example',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--as <email>', 'the person asking')
    .option('--from <time>', 'hours that start at or after, ISO 8601 with offset')
    .option('--to <time>', 'hours that start before, ISO 8601 with offset')
    .action(async (options: HoursOptions) => {
      const window = {
        from: instantOption('--from', options.from),
        to: instantOption('--to', options.to),
      };
      const report = await withDatabase(createContext(package_root, options), async (db) =>
        totalsOf(db, await personAsking(db, options), options.store, window),
      );
      if (options.json) printJson({ organization: options.org, ...report });
      else printTable(total_columns, report.hours.map(totalRow));
    });

  const days = command('days', {
    summary: 'Days of a store: footfall, the busiest hour, and how complete they are.',
    example: 'footbridge-hq report days --org acme --store mad-1 --as mar@acme.example',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--as <email>', 'the person asking')
    .action(async (options: HoursOptions) => {
      const report = await withDatabase(createContext(package_root, options), async (db) =>
        daysOf(db, await personAsking(db, options), options.store),
      );
      if (options.json) printJson({ organization: options.org, ...report });
      else printTable(day_columns, report.days.map(dayRow));
    });

  const periods = command('periods', {
    summary: 'Weeks, months, quarters or years of a store, with last year beside them.',
    example:
      'footbridge-hq report periods --org acme --store mad-1 --by month --as mar@acme.example',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--as <email>', 'the person asking')
    .option('--by <period>', period_kinds.join(', '), 'week')
    .action(async (options: HoursOptions) => {
      const { by } = validated(periodSchema, options);
      const report = await withDatabase(createContext(package_root, options), async (db) =>
        periodsOf(db, await personAsking(db, options), options.store, by),
      );
      if (options.json) printJson({ organization: options.org, by, ...report });
      else printTable(period_columns, report.periods.map(periodRow));
    });

  const alerts = command('alerts', {
    summary: 'Alerts of the stores that this person may see, newest first.',
    example: 'footbridge-hq report alerts --org acme --as mar@acme.example --open',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--as <email>', 'the person asking')
    .option('--open', 'only those that are not resolved')
    .action(async (options: AlertsOptions) => {
      const found = await withDatabase(createContext(package_root, options), async (db) =>
        alertsOf(db, await personAsking(db, options), options.open === true),
      );
      if (options.json) printJson({ organization: options.org, alerts: found });
      else {
        printTable(
          ['since', 'severity', 'store', 'alert', 'resolved'],
          found.map((one) => [one.created_at, one.severity, one.store, one.title, one.resolved_at]),
        );
      }
    });
  const commissioning = command('commissioning', {
    summary: 'Which sensors passed a walk test or an audit, who tested them, how exact they are.',
    example: 'footbridge-hq report commissioning --org acme --store mad-1 --as mar@acme.example',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--as <email>', 'the person asking')
    .option('--store <code>', 'only this store')
    .action(async (options: CommonOptions & { org: string; as: string; store?: string }) => {
      const sensors = await withDatabase(createContext(package_root, options), async (db) =>
        commissioningOf(db, await personAsking(db, options), options.store ?? null),
      );
      if (options.json) printJson({ organization: options.org, sensors });
      else printTable(commissioning_columns, sensors.map(commissioningRow));
    });
  return group('report', 'What HQ knows, under row security.', [
    hours,
    totals,
    days,
    periods,
    alerts,
    commissioning,
  ]);
}
