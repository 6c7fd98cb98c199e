/** `footbridge-hq store trading|closed|maintenance`. What they change is computed anew, from the first reading on. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import { markForRebuild } from '../rollups/mark-hours.ts';
import type { Organization } from '../tenants/organizations.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import type { Store } from '../tenants/stores.ts';
import { storeByCode } from '../tenants/stores.ts';
import {
  addClosure,
  addMaintenance,
  parseTradingHours,
  setTradingHours,
} from '../tenants/trading-hours.ts';
import { command } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface StoreOptions extends CommonOptions {
  readonly org: string;
  readonly store: string;
}

export function tradingCommand(package_root: string): Command {
  return command('trading', {
    summary: 'Say when a store trades, in its own time; replaces what was said before.',
    example:
      'footbridge-hq store trading --org acme --store mad-1 --hours "1-6 10:00-20:30" "7 11:00-15:00"',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--hours <stretch...>', 'weekdays (1 is Monday) and times, in quarter hours')
    .action(async (options: StoreOptions & { hours: string[] }) => {
      const hours = options.hours.flatMap(parseTradingHours);
      await change(package_root, options, (db, organization, store) =>
        setTradingHours(db, organization, store, hours),
      );
    });
}

export function closedCommand(package_root: string): Command {
  return command('closed', {
    summary: 'Say on which days a store does not trade.',
    example:
      'footbridge-hq store closed --org acme --store mad-1 --from 2026-12-25 --until 2026-12-26 --reason Christmas',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--from <date>', 'first day, YYYY-MM-DD')
    .requiredOption('--until <date>', 'last day')
    .requiredOption('--reason <text>', 'why')
    .action(async (options: StoreOptions & { from: string; until: string; reason: string }) => {
      for (const [name, date] of Object.entries({ from: options.from, until: options.until })) {
        if (!/^\d{4}-\d\d-\d\d$/.test(date) || Number.isNaN(Date.parse(date))) {
          throw new FootbridgeError('usage', `--${name} "${date}": use YYYY-MM-DD`);
        }
      }
      await change(package_root, options, (db, organization, store) =>
        addClosure(db, organization, store, options),
      );
    });
}

export function maintenanceCommand(package_root: string): Command {
  return command('maintenance', {
    summary: 'Say when somebody works on a store: nothing new is raised about it meanwhile.',
    example:
      'footbridge-hq store maintenance --org acme --store mad-1 --from 2026-12-01T08:00 --until 2026-12-01T12:30 --reason "new door"',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--from <time>', 'in the store’s own time, YYYY-MM-DDTHH:MM')
    .requiredOption('--until <time>', 'in the store’s own time')
    .requiredOption('--reason <text>', 'why')
    .action(async (options: StoreOptions & { from: string; until: string; reason: string }) => {
      for (const [name, time] of Object.entries({ from: options.from, until: options.until })) {
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(time) || Number.isNaN(Date.parse(time))) {
          throw new FootbridgeError('usage', `--${name} "${time}": use YYYY-MM-DDTHH:MM`);
        }
      }
      await withDatabase(createContext(package_root, options), async (db) => {
        const organization = await organizationBySlug(db, options.org);
        const store = await storeByCode(db, organization, options.store);
        await addMaintenance(db, organization, store, options);
      });
      const { org, store, from, until, reason } = options;
      if (options.json) printJson({ organization: org, store, from, until, reason });
      else printLine(`Noted for ${store} of ${org}.`);
    });
}

async function change(
  package_root: string,
  options: StoreOptions,
  work: (db: Database, organization: Organization, store: Store) => Promise<void>,
): Promise<void> {
  const hours = await withDatabase(createContext(package_root, options), async (db) => {
    const organization = await organizationBySlug(db, options.org);
    const store = await storeByCode(db, organization, options.store);
    await work(db, organization, store);
    return markForRebuild(db, organization.id, store.id);
  });
  if (options.json) {
    printJson({ organization: options.org, store: options.store, hours_to_compute: hours });
  } else
    printLine(`Noted for ${options.store} of ${options.org}; ${hours} hours are computed anew.`);
}
