/** `footbridge-hq zone set|list|remove`. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import { markDaysOfZone } from '../rollups/mark-hours.ts';
import type { Organization } from '../tenants/organizations.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import type { Store } from '../tenants/stores.ts';
import { storeByCode } from '../tenants/stores.ts';
import { listZones, removeZone, setZone, zoneSchema } from '../tenants/zones.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { validated } from './validated.ts';

interface StoreOptions extends CommonOptions {
  readonly org: string;
  readonly store: string;
}

interface SetOptions extends StoreOptions {
  readonly polygon?: string;
}

/** A thousand corners with every digit of a double fit in a tenth of it. */
const file_bytes_max = 1_000_000;

export function zoneCommand(package_root: string): Command {
  const inStore = <T>(
    options: StoreOptions,
    work: (db: Database, organization: Organization, store: Store) => Promise<T>,
  ): Promise<T> =>
    withDatabase(createContext(package_root, options), async (db) => {
      const organization = await organizationBySlug(db, options.org);
      return work(db, organization, await storeByCode(db, organization, options.store));
    });
  const ofStore = (made: Command) =>
    made.requiredOption('--org <slug>', 'organization').requiredOption('--store <code>', 'store');

  const set = ofStore(
    command('set', {
      summary: 'Name a zone of a sensor, and draw it; again to change it.',
      example:
        'footbridge-hq zone set --org acme --store mad-1 --sensor ceiling --zone 1 --name Tills',
    }),
  )
    .requiredOption('--sensor <id>', 'sensor that counts in it')
    .requiredOption('--zone <id>', 'what the sensor calls it')
    .requiredOption('--name <name>', 'what people call it')
    .option('--type <type>', 'such as queue, shelf; store: stays in it are visits', 'general')
    .option('--polygon <file>', 'JSON with its corners: [[0, 0], [4, 0], [4, 3]]')
    .action(async (options: SetOptions) => {
      const polygon = await polygonOf(options.polygon);
      const wanted = validated(zoneSchema, { ...options, polygon });
      const { zone, days } = await inStore(options, async (...place) => ({
        zone: await setZone(...place, wanted),
        days: await daysToCompute(...place, wanted),
      }));
      if (options.json) {
        const place = { organization: options.org, store: options.store };
        printJson({ ...place, ...zone, days_to_compute: days });
      } else {
        const what = `${zone.name} is zone ${zone.zone} of ${zone.sensor}`;
        printLine(`${what}; ${days} days are computed anew.`);
      }
    });

  const list = ofStore(
    command('list', {
      summary: 'List the zones of a store.',
      example: 'footbridge-hq zone list --org acme --store mad-1',
    }),
  ).action(async (options: StoreOptions) => {
    const zones = await inStore(options, listZones);
    if (options.json) printJson({ organization: options.org, store: options.store, zones });
    else {
      printTable(
        ['sensor', 'zone', 'name', 'type', 'corners'],
        zones.map((one) => [one.sensor, one.zone, one.name, one.type, one.polygon?.length]),
      );
    }
  });

  const remove = ofStore(
    command('remove', {
      summary: 'Forget the name and outline of a zone; what was counted in it stays.',
      example: 'footbridge-hq zone remove --org acme --store mad-1 --sensor ceiling --zone 1',
    }),
  )
    .requiredOption('--sensor <id>', 'sensor that counts in it')
    .requiredOption('--zone <id>', 'what the sensor calls it')
    .action(async (options: StoreOptions & { sensor: string; zone: string }) => {
      const days = await inStore(options, async (...place) => {
        await removeZone(...place, options);
        return daysToCompute(...place, options);
      });
      if (options.json) printJson({ removed: options.zone, days_to_compute: days });
      else {
        const what = `Removed zone ${options.zone} of ${options.sensor}`;
        printLine(`${what}; ${days} days are computed anew.`);
      }
    });

  return group('zone', 'Zones that sensors count in.', [set, list, remove]);
}

function daysToCompute(
  db: Database,
  organization: Organization,
  store: Store,
  { sensor, zone }: { sensor: string; zone: string },
): Promise<number> {
  const named = { store_id: store.id, sensor_id: sensor, region_id: zone };
  return markDaysOfZone(db, organization.id, named);
}

/** @throws value_invalid naming the file */
async function polygonOf(file: string | undefined): Promise<unknown> {
  if (file === undefined) return undefined;
  const fail = (why: string) => new FootbridgeError('value_invalid', `--polygon "${file}": ${why}`);
  const size = await stat(file).then(
    (found) => found.size,
    (error) => {
      throw fail(errorText(error));
    },
  );
  if (size > file_bytes_max) throw fail(`${size} bytes; the limit is ${file_bytes_max}`);
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw fail(errorText(error));
  }
}
