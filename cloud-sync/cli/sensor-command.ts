/** `footbridge-hq sensor list|set`: what a line counts for. */
import type { Command } from 'commander';
import { z } from 'zod';
import { printJson, printTable } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { listSensors, sensor_roles, setSensor } from '../tenants/sensors.ts';
import { storeByCode } from '../tenants/stores.ts';
import { command, group } from './command.ts';
import { createContext, withDatabase } from './context.ts';
import { changeStore, type StoreOptions } from './store-change.ts';
import { validated } from './validated.ts';

const changeSchema = z.object({
  sensor: z.string(),
  role: z.enum(sensor_roles, { error: `use ${sensor_roles.join(', ')}` }).optional(),
  from: z.iso
    .datetime({ offset: true, error: 'use a time with its offset: 2026-11-21T09:00:00+01:00' })
    .transform((text) => new Date(text))
    .optional(),
});

export function sensorCommand(package_root: string): Command {
  const list = command('list', {
    summary: 'List the sensors of a store and what each counts for.',
    example: 'footbridge-hq sensor list --org acme --store mad-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .action(async (options: StoreOptions) => {
      const sensors = await withDatabase(createContext(package_root, options), async (db) => {
        const organization = await organizationBySlug(db, options.org);
        const store = await storeByCode(db, organization, options.store);
        return listSensors(db, organization, store);
      });
      if (options.json) {
        printJson({ organization: options.org, store: options.store, sensors });
      } else {
        printTable(
          ['sensor', 'type', 'role', 'counts from'],
          sensors.map((one) => [one.sensor_id, one.sensor_type, one.role, one.counting_from]),
        );
      }
    });

  const set = command('set', {
    summary: 'Say what a line counts for, and from when on hours wait for it.',
    example:
      'footbridge-hq sensor set --org acme --store mad-1 --sensor front-door/staff --role staff',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .requiredOption('--sensor <id>', 'sensor')
    .option('--role <role>', sensor_roles.join(', '))
    .option('--from <time>', 'hours before do not wait for it; ISO 8601 with offset')
    .action(async (options: StoreOptions) => {
      const wanted = validated(changeSchema, options);
      await changeStore(package_root, options, (db, organization, store) =>
        setSensor(db, organization, store, wanted),
      );
    });
  return group('sensor', 'What the sensors of a store count for.', [list, set]);
}
