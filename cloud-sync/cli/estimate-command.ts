/** `footbridge-hq estimate list|revert|restore`. */
import type { Command } from 'commander';
import { z } from 'zod';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import type { Database } from '../db/pool.ts';
import { type Gaps, listEstimates, revertEstimates } from '../rollups/estimate-gaps.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { storeByCode } from '../tenants/stores.ts';
import { command, group } from './command.ts';
import { createContext, withDatabase } from './context.ts';
import type { StoreOptions } from './store-change.ts';
import { dateSchema, validated } from './validated.ts';

const gapsSchema = z.object({
  sensor: z.string().optional(),
  from: dateSchema,
  until: dateSchema,
  reason: z.string().min(1, { error: 'is empty' }).max(255).optional(),
});

export function estimateCommand(package_root: string): Command {
  const about = (name: string, summary: string, example: string) =>
    command(name, {
      summary,
      example: `footbridge-hq estimate ${name} --org acme --store mad-1 ${example}`,
    })
      .requiredOption('--org <slug>', 'organization')
      .requiredOption('--store <code>', 'store')
      .requiredOption('--from <date>', 'first day of the store’s own time, YYYY-MM-DD')
      .requiredOption('--until <date>', 'last day')
      .option('--sensor <id>', 'one door; all of them without');
  const ask = async <T>(
    options: StoreOptions,
    work: (db: Database, organization_id: string, gaps: Gaps) => Promise<T>,
  ) => {
    const { sensor, from, until } = validated(gapsSchema, options);
    return withDatabase(createContext(package_root, options), async (db) => {
      const organization = await organizationBySlug(db, options.org);
      const store = await storeByCode(db, organization, options.store);
      return work(db, organization.id, { store_id: store.id, sensor_id: sensor, from, until });
    });
  };
  const tell = (options: StoreOptions, changed: number, what: string) => {
    const { org, store, json } = options;
    if (json) printJson({ organization: org, store, changed });
    else printLine(`${changed} estimates of ${store} ${what}.`);
  };

  const list = about(
    'list',
    'List what was put beside the counts for hours in which a door was not heard.',
    '--from 2026-11-01 --until 2026-11-30',
  ).action(async (options: StoreOptions) => {
    const estimates = await ask(options, listEstimates);
    if (options.json) {
      printJson({ organization: options.org, store: options.store, estimates });
      return;
    }
    printTable(
      ['hour', 'door', 'in', 'missing', 'usual', 'weeks', 'today', 'reverted'],
      estimates.map((one) => [
        one.start_time,
        one.sensor_id,
        one.estimated_in,
        `${Math.round(one.missing_share * 100)} %`,
        one.median_in,
        one.basis,
        `× ${one.scale.toFixed(2)}`,
        one.reverted_reason,
      ]),
    );
  });
  const revert = about(
    'revert',
    'Take estimates out of the numbers: the hours are incomplete again.',
    '--from 2026-11-20 --until 2026-11-20 --reason "power cut, nobody came in"',
  )
    .requiredOption('--reason <text>', 'why they are not believed')
    .action(async (options: StoreOptions) => {
      const { reason } = validated(gapsSchema, options);
      const changed = await ask(options, (db, id, gaps) => revertEstimates(db, id, gaps, reason));
      tell(options, changed, 'reverted');
    });
  const restore = about(
    'restore',
    'Take reverted estimates back in.',
    '--from 2026-11-20 --until 2026-11-20',
  ).action(async (options: StoreOptions) => {
    const changed = await ask(options, (db, id, gaps) => revertEstimates(db, id, gaps, undefined));
    tell(options, changed, 'restored');
  });
  return group('estimate', 'Estimates for hours in which a door was not heard.', [
    list,
    revert,
    restore,
  ]);
}
