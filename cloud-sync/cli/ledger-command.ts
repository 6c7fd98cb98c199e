/** `footbridge-hq ledger list`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { listLosses } from '../gateways/losses.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import { type CommonOptions, createContext, withDatabase } from './context.ts';

export function ledgerCommand(package_root: string): Command {
  const list = command('list', {
    summary: 'List what stands in quarantine in the stores, by reason, with how much of it.',
    example: 'footbridge-hq ledger list --org acme --store mad-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .option('--store <code>', 'only of this store')
    .action(async (options: CommonOptions & { org: string; store?: string }) => {
      const losses = await withDatabase(createContext(package_root, options), async (db) =>
        listLosses(db, await organizationBySlug(db, options.org), options.store),
      );
      if (options.json) printJson({ organization: options.org, losses });
      else if (losses.length === 0) printLine('Nothing: all that was acknowledged are counts.');
      else {
        printTable(
          ['store', 'source', 'reason', 'count', 'last', 'gateway', 'epoch'],
          losses.map((one) =>
            [one.store, one.source, one.reason, one.count].concat([
              one.updated_at.toISOString(),
              one.gateway_id,
              one.epoch,
            ]),
          ),
        );
      }
    });
  return group('ledger', 'What was received and is no count, and why.', [list]);
}
