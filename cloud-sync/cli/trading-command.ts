/** `footbridge-hq store trading|closed|holiday|reset-hour|maintenance`: when a store trades, and when not. */
import type { Command } from 'commander';
import { z } from 'zod';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { setResetHour, storeByCode } from '../tenants/stores.ts';
import {
  addClosure,
  addHoliday,
  addMaintenance,
  parseHolidayHours,
  parseTradingHours,
  setTradingHours,
} from '../tenants/trading-hours.ts';
import { command } from './command.ts';
import { createContext, withDatabase } from './context.ts';
import { changeStore, type StoreOptions } from './store-change.ts';
import { dateSchema, validated } from './validated.ts';

function ofStore(made: Command): Command {
  return made
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store');
}

export function tradingCommand(package_root: string): Command {
  return ofStore(
    command('trading', {
      summary: 'Say when a store trades, in its own time; replaces what was said before.',
      example:
        'footbridge-hq store trading --org acme --store mad-1 --hours "1-6 10:00-20:30" "7 11:00-15:00"',
    }),
  )
    .requiredOption('--hours <stretch...>', 'weekdays (1 is Monday) and times, in quarter hours')
    .action(async (options: StoreOptions & { hours: string[] }) => {
      const hours = options.hours.flatMap(parseTradingHours);
      await changeStore(package_root, options, (db, organization, store) =>
        setTradingHours(db, organization, store, hours),
      );
    });
}

const closureSchema = z.object({ from: dateSchema, until: dateSchema, reason: z.string() });

export function closedCommand(package_root: string): Command {
  return ofStore(
    command('closed', {
      summary: 'Say on which days a store does not trade.',
      example:
        'footbridge-hq store closed --org acme --store mad-1 --from 2026-12-25 --until 2026-12-26 --reason Christmas',
    }),
  )
    .requiredOption('--from <date>', 'first day, YYYY-MM-DD')
    .requiredOption('--until <date>', 'last day')
    .requiredOption('--reason <text>', 'why')
    .action(async (options: StoreOptions) => {
      const closure = validated(closureSchema, options);
      await changeStore(package_root, options, (db, organization, store) =>
        addClosure(db, organization, store, closure),
      );
    });
}

const holidaySchema = z.object({
  date: dateSchema,
  name: z.string().min(1, { error: 'is empty' }).max(100, { error: 'is longer than 100' }),
  hours: z.string().optional(),
});

export function holidayCommand(package_root: string): Command {
  return ofStore(
    command('holiday', {
      summary: 'Name a day of a store that trades otherwise than its weekday; replaces its name.',
      example:
        'footbridge-hq store holiday --org acme --store mad-1 --date 2026-12-24 --name "Christmas Eve" --hours 10:00-14:00',
    }),
  )
    .requiredOption('--date <date>', 'the day, YYYY-MM-DD')
    .requiredOption('--name <name>', 'as reports show it')
    .option('--hours <stretch>', 'when it trades on that day; as on its weekday without')
    .action(async (options: StoreOptions) => {
      const { hours, ...holiday } = validated(holidaySchema, options);
      const stretch = hours === undefined ? undefined : parseHolidayHours(hours);
      await changeStore(package_root, options, (db, organization, store) =>
        addHoliday(db, organization, store, { ...holiday, hours: stretch }),
      );
    });
}

const resetSchema = z.object({
  hour: z.coerce.number({ error: 'use 0 to 23' }).int().min(0).max(23),
});

export function resetHourCommand(package_root: string): Command {
  return ofStore(
    command('reset-hour', {
      summary: 'Say at which hour nobody is inside: occupancy starts from zero there.',
      example: 'footbridge-hq store reset-hour --org acme --store mad-1 --hour 5',
    }),
  )
    .requiredOption('--hour <hour>', 'of the store’s own clock, 0 to 23')
    .action(async (options: StoreOptions) => {
      const { hour } = validated(resetSchema, options);
      await changeStore(package_root, options, (db, organization, store) =>
        setResetHour(db, organization, store, hour),
      );
    });
}

const wallClock = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/, { error: 'use YYYY-MM-DDTHH:MM' })
  .refine((time) => !Number.isNaN(Date.parse(time)), { error: 'use YYYY-MM-DDTHH:MM' });
const maintenanceSchema = z.object({ from: wallClock, until: wallClock, reason: z.string() });

export function maintenanceCommand(package_root: string): Command {
  return ofStore(
    command('maintenance', {
      summary: 'Say when somebody works on a store: nothing new is raised about it meanwhile.',
      example:
        'footbridge-hq store maintenance --org acme --store mad-1 --from 2026-12-01T08:00 --until 2026-12-01T12:30 --reason "new door"',
    }),
  )
    .requiredOption('--from <time>', 'in the store’s own time, YYYY-MM-DDTHH:MM')
    .requiredOption('--until <time>', 'in the store’s own time')
    .requiredOption('--reason <text>', 'why')
    .action(async (options: StoreOptions) => {
      const window = validated(maintenanceSchema, options);
      await withDatabase(createContext(package_root, options), async (db) => {
        const organization = await organizationBySlug(db, options.org);
        const store = await storeByCode(db, organization, options.store);
        await addMaintenance(db, organization, store, window);
      });
      const { org, store } = options;
      if (options.json) printJson({ organization: org, store, ...window });
      else printLine(`Noted for ${store} of ${org}.`);
    });
}
