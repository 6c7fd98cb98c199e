/** `footbridge-hq region add|list`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { addRegion, listRegions } from '../tenants/regions.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface AddOptions extends CommonOptions {
  readonly org: string;
  readonly code: string;
  readonly name: string;
  readonly store: string[];
}

export function regionCommand(package_root: string): Command {
  const add = command('add', {
    summary: 'Add a region and move stores into it. Run again to rename it or to move more.',
    example: 'footbridge-hq region add --org acme --code north --name North --store mad-1 bil-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--code <code>', 'short name of the region in its organization')
    .requiredOption('--name <name>', 'full name')
    .option('--store <code...>', 'stores that now belong to it', [])
    .action(async (options: AddOptions) => {
      const context = createContext(package_root, options);
      const { org, code, name, store } = options;
      const region = await withDatabase(context, async (db) =>
        addRegion(db, await organizationBySlug(db, org), { code, name, stores: store }),
      );
      if (options.json) printJson({ organization: org, ...region });
      else printLine(`Region ${region.code} of ${org}: ${region.stores.join(', ') || 'no store'}.`);
    });

  const list = command('list', {
    summary: 'List the regions of an organization with their stores.',
    example: 'footbridge-hq region list --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: CommonOptions & { org: string }) => {
      const context = createContext(package_root, options);
      const regions = await withDatabase(context, async (db) =>
        listRegions(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, regions });
      else {
        const rows = regions.map(({ code, name, stores }) => [code, name, stores.join(' ')]);
        printTable(['code', 'name', 'stores'], rows);
      }
    });

  return group('region', 'Regions: groups of stores of an organization.', [add, list]);
}
