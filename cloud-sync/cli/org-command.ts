/** `footbridge-hq org add|list`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { addOrganization, listOrganizations } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface AddOptions extends CommonOptions {
  readonly slug: string;
  readonly name: string;
}

export function orgCommand(package_root: string): Command {
  const add = command('add', {
    summary: 'Add an organization.',
    example: 'footbridge-hq org add --slug acme --name "Acme Retail"',
  })
    .requiredOption('--slug <slug>', 'short name for commands: a-z, 0-9, "-"')
    .requiredOption('--name <name>', 'full name')
    .action(async (options: AddOptions) => {
      const context = createContext(package_root, options);
      const organization = await withDatabase(context, (db) => addOrganization(db, options));
      if (options.json) printJson(organization);
      else printLine(`Added organization ${organization.slug} (${organization.id}).`);
    });

  const list = command('list', {
    summary: 'List organizations.',
    example: 'footbridge-hq org list --json',
  }).action(async (options: CommonOptions) => {
    const context = createContext(package_root, options);
    const organizations = await withDatabase(context, (db) => listOrganizations(db));
    if (options.json) printJson({ organizations });
    else {
      const rows = organizations.map(({ slug, name, id }) => [slug, name, id]);
      printTable(['slug', 'name', 'id'], rows);
    }
  });

  return group('org', 'Organizations: the tenants of this HQ.', [add, list]);
}
