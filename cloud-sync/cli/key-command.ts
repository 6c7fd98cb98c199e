/** `footbridge-hq key create|list|revoke`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { createApiKey, listApiKeys, revokeApiKey } from '../tenants/api-keys.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { instantOption } from './instant-option.ts';

interface OrgOptions extends CommonOptions {
  readonly org: string;
}

interface CreateOptions extends OrgOptions {
  readonly as: string;
  readonly name: string;
  readonly expires?: string;
}

export function keyCommand(package_root: string): Command {
  const create = command('create', {
    summary: 'Print a key with which a program reads reports as this person may see them.',
    example: 'footbridge-hq key create --org acme --as ana@acme.example --name "till system"',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--as <email>', 'the member it stands for')
    .requiredOption('--name <name>', 'what uses it')
    .option('--expires <time>', 'refused from then on, ISO 8601 with offset')
    .action(async (options: CreateOptions) => {
      const context = createContext(package_root, options);
      const expires_at = instantOption('--expires', options.expires);
      const made = await withDatabase(context, async (db) =>
        createApiKey(db, await organizationBySlug(db, options.org), {
          name: options.name,
          as: options.as,
          expires_at,
          now: new Date(context.clock.now()),
        }),
      );
      if (options.json) printJson({ organization: options.org, ...made });
      else {
        printLine(made.key);
        printLine(`Shown once. It reads what ${made.as} sees:`);
        printLine('  curl -H "Authorization: Bearer fbk_…" https://YOUR-HQ/v1/reports/stores');
      }
    });

  const list = command('list', {
    summary: 'List the keys of an organization, by their first characters.',
    example: 'footbridge-hq key list --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: OrgOptions) => {
      const context = createContext(package_root, options);
      const keys = await withDatabase(context, async (db) =>
        listApiKeys(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, keys });
      else {
        printTable(
          ['name', 'key', 'as', 'scopes', 'expires', 'revoked', 'id'],
          keys.map((one) => [
            one.name,
            `fbk_${one.prefix}_…`,
            one.as,
            one.scopes.join(' '),
            one.expires_at,
            one.revoked_at,
            one.key_id,
          ]),
        );
      }
    });

  const revoke = command('revoke', {
    summary: 'Refuse a key from its next request on.',
    example: 'footbridge-hq key revoke --org acme --key 0192…',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--key <id>', 'id, from key list')
    .action(async (options: OrgOptions & { key: string }) => {
      const context = createContext(package_root, options);
      const revoked = await withDatabase(context, async (db) =>
        revokeApiKey(db, await organizationBySlug(db, options.org), options.key),
      );
      if (options.json) printJson(revoked);
      else printLine(`Revoked key ${revoked.key_id}.`);
    });

  return group('key', 'Keys of programs that read reports.', [create, list, revoke]);
}
