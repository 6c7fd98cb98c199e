/** `footbridge-hq gateway configure|configuration`: what a gateway's sensors and zones are called. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import {
  type DesiredConfiguration,
  desiredConfigurationSchema,
} from '../../shared/wire/configuration.ts';
import { configurationOf, configureGateway } from '../gateways/configuration.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command } from './command.ts';
import { type CommonOptions, createContext, withDatabase } from './context.ts';

interface GatewayOptions extends CommonOptions {
  readonly org: string;
  readonly gateway: string;
}

const ofGateway = (made: Command) =>
  made
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--gateway <id>', 'id, from gateway list');

export function configureCommand(package_root: string): Command {
  return ofGateway(
    command('configure', {
      summary:
        'Say what sensors and zones of a gateway are called. It takes all of it with its next heartbeat, or none.',
      example: `footbridge-hq gateway configure --org acme --gateway 0192… --file names.json

names.json:
  { "sensors": [{ "sensor_id": "front-door", "name": "Main entrance" }],
    "regions": [{ "sensor_id": "ceiling", "region_id": "1", "name": "Checkout" }] }`,
    }),
  )
    .requiredOption('--file <file>', 'JSON; what it does not name stays as it is')
    .action(async (options: GatewayOptions & { file: string }) => {
      const desired = readDesired(options.file);
      const set = await withDatabase(createContext(package_root, options), async (db) => {
        const organization = await organizationBySlug(db, options.org);
        return configureGateway(db, organization, options.gateway, desired);
      });
      if (options.json) printJson(set);
      else printLine(`Version ${set.version}; see \`footbridge-hq gateway configuration\`.`);
    });
}

export function configurationCommand(package_root: string): Command {
  return ofGateway(
    command('configuration', {
      summary: 'Show what sensors and zones of a gateway are to be called, and whether they are.',
      example: 'footbridge-hq gateway configuration --org acme --gateway 0192…',
    }),
  ).action(async (options: GatewayOptions) => {
    const found = await withDatabase(createContext(package_root, options), async (db) =>
      configurationOf(db, await organizationBySlug(db, options.org), options.gateway),
    );
    if (options.json) return printJson(found);
    const { version, applied_version, refused, desired } = found;
    printLine(`wanted   ${version === null ? 'nothing' : `version ${version}`}`);
    printLine(`in use   ${applied_version === null ? 'not known' : `version ${applied_version}`}`);
    if (refused !== null) printLine(`refused  version ${refused.version}: ${refused.detail}`);
    if (desired === null) return;
    const names = [
      ...desired.sensors.map(({ sensor_id, name }) => [sensor_id, '', name]),
      ...desired.regions.map(({ sensor_id, region_id, name }) => [sensor_id, region_id, name]),
    ];
    printTable(['sensor', 'zone', 'name'], names);
  });
}

/** @throws configuration_invalid with every mistake. */
function readDesired(file: string): DesiredConfiguration {
  let text: unknown;
  try {
    text = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new FootbridgeError('configuration_invalid', `${file}: ${errorText(error)}`);
  }
  const checked = desiredConfigurationSchema.safeParse(text);
  if (checked.success) return checked.data;
  const mistakes = checked.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
  );
  throw new FootbridgeError('configuration_invalid', `${file}: ${mistakes.join('; ')}`);
}
