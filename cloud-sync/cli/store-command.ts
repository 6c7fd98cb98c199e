/** `footbridge-hq store add|list|trading|closed|holiday|reset-hour|maintenance`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { addStore, listStores } from '../tenants/stores.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { storeFactsCommand } from './store-facts-command.ts';
import {
  closedCommand,
  holidayCommand,
  maintenanceCommand,
  resetHourCommand,
  tradingCommand,
} from './trading-command.ts';

interface AddOptions extends CommonOptions {
  readonly org: string;
  readonly code: string;
  readonly name: string;
  readonly timezone: string;
}

export function storeCommand(package_root: string): Command {
  const add = command('add', {
    summary: 'Add a store. Its time zone decides where its hours and days begin.',
    example:
      'footbridge-hq store add --org acme --code mad-1 --name "Madrid 1" --timezone Europe/Madrid',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--code <code>', 'short name of the store in its organization')
    .requiredOption('--name <name>', 'full name')
    .requiredOption('--timezone <zone>', 'IANA zone, such as Asia/Kolkata')
    .action(async (options: AddOptions) => {
      const context = createContext(package_root, options);
      const store = await withDatabase(context, async (db) =>
        addStore(db, await organizationBySlug(db, options.org), options),
      );
      if (options.json) printJson({ organization: options.org, ...store });
      else printLine(`Added store ${store.code} of ${options.org} (${store.id}).`);
    });

  const list = command('list', {
    summary: 'List the stores of an organization.',
    example: 'footbridge-hq store list --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: CommonOptions & { org: string }) => {
      const context = createContext(package_root, options);
      const stores = await withDatabase(context, async (db) =>
        listStores(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, stores });
      else {
        const rows = stores.map(({ code, name, timezone, id }) => [code, name, timezone, id]);
        printTable(['code', 'name', 'timezone', 'id'], rows);
      }
    });

  return group('store', 'Stores of an organization.', [
    add,
    list,
    storeFactsCommand(package_root),
    tradingCommand(package_root),
    closedCommand(package_root),
    holidayCommand(package_root),
    resetHourCommand(package_root),
    maintenanceCommand(package_root),
  ]);
}
