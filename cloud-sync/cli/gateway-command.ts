/** `footbridge-hq gateway invite|list|configure|configuration|rotate|revoke`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import {
  type GatewayRow,
  inviteGateway,
  listGateways,
  revokeGateway,
} from '../gateways/registry.ts';
import { requestRotation } from '../gateways/rotate.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { configurationCommand, configureCommand } from './gateway-configuration-command.ts';

interface OrgOptions extends CommonOptions {
  readonly org: string;
}

export function gatewayCommand(package_root: string): Command {
  const invite = command('invite', {
    summary: 'Print a single-use token with which a gateway of this store enrols.',
    example: 'footbridge-hq gateway invite --org acme --store mad-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--store <code>', 'store')
    .action(async (options: OrgOptions & { store: string }) => {
      const context = createContext(package_root, options);
      const invitation = await withDatabase(context, async (db) => {
        const organization = await organizationBySlug(db, options.org);
        return inviteGateway(db, organization, options.store, context.clock.now());
      });
      if (options.json) printJson(invitation);
      else {
        printLine(invitation.token);
        printLine(`Valid once, until ${invitation.expires_at}. In the store:`);
        printLine(`  footbridge enroll --hq https://YOUR-HQ --token ${invitation.token}`);
      }
    });

  const list = command('list', {
    summary: 'List gateways with what they last said.',
    example: 'footbridge-hq gateway list --org acme --store mad-1 --json',
  })
    .requiredOption('--org <slug>', 'organization')
    .option('--store <code>', 'only of this store')
    .action(async (options: OrgOptions & { store?: string }) => {
      const context = createContext(package_root, options);
      const gateways = await withDatabase(context, async (db) =>
        listGateways(db, await organizationBySlug(db, options.org), options.store),
      );
      if (options.json) printJson({ organization: options.org, gateways });
      else {
        printTable(
          ['store', 'name', 'heartbeat', 'buffered', 'quarantined', 'names', 'revoked', 'id'],
          gateways.map((one) => [
            ...[one.store, one.name, one.heartbeat_at, one.buffered, one.quarantined],
            ...[namesOf(one), one.revoked_at, one.gateway_id],
          ]),
        );
      }
    });

  const revoke = command('revoke', {
    summary: 'Refuse a gateway from its next request on. It keeps what it has not delivered.',
    example: 'footbridge-hq gateway revoke --org acme --gateway 0192…',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--gateway <id>', 'id, from gateway list')
    .action(async (options: OrgOptions & { gateway: string }) => {
      const context = createContext(package_root, options);
      const revoked = await withDatabase(context, async (db) =>
        revokeGateway(db, await organizationBySlug(db, options.org), options.gateway),
      );
      if (options.json) printJson(revoked);
      else printLine(`Revoked gateway ${revoked.gateway_id}.`);
    });

  const rotate = command('rotate', {
    summary:
      'Have a gateway replace its key. It does so by itself; the old key ends once the new one is used.',
    example: 'footbridge-hq gateway rotate --org acme --gateway 0192…',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--gateway <id>', 'id, from gateway list')
    .action(async (options: OrgOptions & { gateway: string }) => {
      const context = createContext(package_root, options);
      const asked = await withDatabase(context, async (db) =>
        requestRotation(db, await organizationBySlug(db, options.org), options.gateway),
      );
      if (options.json) printJson(asked);
      else printLine(`Gateway ${asked.gateway_id} replaces its key with its next heartbeat.`);
    });

  return group('gateway', 'Gateways: invite, list, configure, rotate, revoke.', [
    invite,
    list,
    configureCommand(package_root),
    configurationCommand(package_root),
    rotate,
    revoke,
  ]);
}

/** Of the configuration that HQ wants, what the gateway has made of it. */
function namesOf(one: GatewayRow): string {
  const { configuration_wanted: wanted, configuration_applied: applied } = one;
  if (wanted === null) return '';
  if (applied === wanted) return `${wanted}`;
  return one.configuration_fault === null ? `${wanted} waits` : `${wanted} refused`;
}
