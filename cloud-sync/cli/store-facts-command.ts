/** `footbridge-hq store set`. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { setStoreFacts, storeFactsSchema } from '../tenants/store-facts.ts';
import { storeByCode } from '../tenants/stores.ts';
import { command } from './command.ts';
import { createContext, withDatabase } from './context.ts';
import type { StoreOptions } from './store-change.ts';
import { validated } from './validated.ts';

export function storeFactsCommand(package_root: string): Command {
  return command('set', {
    summary: 'Change what reports compare a store by; what is not named stays.',
    example: 'footbridge-hq store set --org acme --store mad-1 --capacity 120 --area 340.5',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .option('--name <name>', 'full name')
    .option('--capacity <people>', 'how many may be inside; none')
    .option('--area <m2>', 'sales area in square metres; none')
    .option('--comparable-since <date>', 'first day that counts in year-on-year sums; none')
    .option('--active <yes|no>', 'no: the store is closed for good')
    .action(async (options: StoreOptions) => {
      const facts = validated(storeFactsSchema, options);
      const known = await withDatabase(createContext(package_root, options), async (db) => {
        const organization = await organizationBySlug(db, options.org);
        const store = await storeByCode(db, organization, options.store);
        return setStoreFacts(db, organization, store, facts);
      });
      if (options.json) printJson({ organization: options.org, store: options.store, ...known });
      else printLine(`Noted for ${options.store} of ${options.org}.`);
    });
}
