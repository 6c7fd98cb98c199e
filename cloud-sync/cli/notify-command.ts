/** `footbridge-hq notify add|list|remove|test|sent`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { Metrics } from '../metrics.ts';
import { openMailer } from '../notify/email.ts';
import type { WantedRoute } from '../notify/routes.ts';
import { addRoute, listNotifications, listRoutes, removeRoute } from '../notify/routes.ts';
import { testRoutes } from '../notify/test-routes.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { roles } from '../tenants/users.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface OrgOptions extends CommonOptions {
  readonly org: string;
}

interface AddOptions extends OrgOptions {
  readonly role?: string;
  readonly webhook?: string;
  readonly log?: boolean;
  readonly severity: string;
  readonly quiet?: string;
  readonly timezone: string;
}

export function notifyCommand(package_root: string): Command {
  const add = command('add', {
    summary: 'Tell people of a role by e-mail, a program by webhook, or the log of the service.',
    example:
      'footbridge-hq notify add --org acme --role store_manager --quiet 22:00-07:00 --timezone Europe/Madrid',
  })
    .requiredOption('--org <slug>', 'organization')
    .option('--role <role>', `e-mail to people of this role: ${roles.join(', ')}`)
    .option('--webhook <url>', 'signed POST to this address')
    .option('--log', 'a line in the log of the service')
    .option('--severity <least>', 'info, warning or critical, and worse', 'warning')
    .option('--quiet <from-until>', 'hours in which only what is critical is told')
    .option('--timezone <zone>', 'of the quiet hours', 'UTC')
    .action(async (options: AddOptions) => {
      const wanted = parseRoute(options);
      const route = await withDatabase(createContext(package_root, options), async (db) =>
        addRoute(db, await organizationBySlug(db, options.org), wanted),
      );
      if (options.json) printJson({ organization: options.org, ...route });
      else {
        printLine(`Added ${route.kind} ${route.role ?? route.url ?? ''} (${route.id}).`);
        if (route.secret !== null) printLine(`Signed with ${route.secret}, shown only now.`);
      }
    });

  const list = command('list', {
    summary: 'Show who is told.',
    example: 'footbridge-hq notify list --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: OrgOptions) => {
      const routes = await withDatabase(createContext(package_root, options), async (db) =>
        listRoutes(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, routes });
      else {
        printTable(
          ['kind', 'to', 'from severity', 'quiet', 'id'],
          routes.map((one) => [
            one.kind,
            one.role ?? one.url,
            one.severity_min,
            one.quiet_from && `${one.quiet_from}-${one.quiet_until} ${one.timezone}`,
            one.id,
          ]),
        );
      }
    });

  const remove = command('remove', {
    summary: 'Tell nobody this way any more.',
    example: 'footbridge-hq notify remove 0192… --org acme',
  })
    .argument('<id>', 'from notify list')
    .requiredOption('--org <slug>', 'organization')
    .action(async (id: string, options: OrgOptions) => {
      await withDatabase(createContext(package_root, options), async (db) =>
        removeRoute(db, await organizationBySlug(db, options.org), id),
      );
      if (options.json) printJson({ organization: options.org, id, removed: true });
      else printLine(`Removed ${id}.`);
    });

  const test = command('test', {
    summary: 'Send a test message to everybody who is told; exit 1 when one is not delivered.',
    example: 'footbridge-hq notify test --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: OrgOptions) => {
      const context = createContext(package_root, options);
      const { config, clock, log } = context;
      const mailer = config.mail === null ? null : openMailer(config.mail);
      const results = await withDatabase(context, async (db) => {
        const { id } = await organizationBySlug(db, options.org);
        return testRoutes({ db, mailer, metrics: new Metrics(), clock, log }, id);
      }).finally(() => mailer?.close());
      if (options.json) printJson({ organization: options.org, messages: results });
      else if (results.length === 0) printLine('Nobody is told; see `footbridge-hq notify add`.');
      else {
        printTable(
          ['kind', 'to', 'state', 'detail'],
          results.map((one) => [one.kind, one.recipient, one.state, one.detail]),
        );
      }
      if (results.some(({ state }) => state !== 'sent')) process.exitCode = exitCode.fault;
    });

  const sent = command('sent', {
    summary: 'Show the last messages, to whom, and what became of them.',
    example: 'footbridge-hq notify sent --org acme --json',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: OrgOptions) => {
      const messages = await withDatabase(createContext(package_root, options), async (db) =>
        listNotifications(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, messages });
      else {
        printTable(
          ['made', 'kind', 'to', 'message', 'state', 'attempts', 'detail'],
          messages.map((one) =>
            [one.created_at, one.kind, one.recipient, one.subject, one.state].concat([
              one.attempts,
              one.detail,
            ] as never),
          ),
        );
      }
    });
  return group('notify', 'Who is told of alerts, and how.', [add, list, remove, test, sent]);
}

function parseRoute(options: AddOptions): WantedRoute {
  const { role, webhook, log, severity, quiet, timezone } = options;
  if ([role, webhook, log].filter((one) => one !== undefined).length !== 1) {
    throw new FootbridgeError('usage', 'use one of --role, --webhook and --log');
  }
  const known_role = roles.find((one) => one === role) ?? null;
  if (role !== undefined && known_role === null) {
    throw new FootbridgeError('usage', `--role "${role}": use one of ${roles.join(', ')}`);
  }
  const severity_min = (['info', 'warning', 'critical'] as const).find((one) => one === severity);
  if (severity_min === undefined) {
    throw new FootbridgeError('usage', `--severity "${severity}": use info, warning or critical`);
  }
  const [, from, until] =
    /^((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)$/.exec(quiet ?? '') ?? [];
  if (quiet !== undefined && from === undefined) {
    throw new FootbridgeError('usage', `--quiet "${quiet}": use 22:00-07:00`);
  }
  return {
    kind: role !== undefined ? 'email' : webhook !== undefined ? 'webhook' : 'log',
    role: known_role,
    url: webhook ?? null,
    severity_min,
    quiet_from: from ?? null,
    quiet_until: until ?? null,
    timezone,
  };
}
