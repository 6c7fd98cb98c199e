/** `footbridge-hq user add`. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { addUser, roles } from '../tenants/users.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface AddOptions extends CommonOptions {
  readonly org: string;
  readonly email: string;
  readonly role: string;
  readonly store: string[];
  readonly region: string[];
}

export function userCommand(package_root: string): Command {
  const add = command('add', {
    summary:
      'Give a person a role in an organization, and stores or regions. Run again to change them.',
    example:
      'footbridge-hq user add --org acme --email mar@acme.example --role store_manager --store mad-1',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--email <address>', 'who')
    .requiredOption('--role <role>', roles.join(', '))
    .option('--store <code...>', 'stores assigned; tenant_admin and analyst see all', [])
    .option('--region <code...>', 'regions assigned, to a regional_manager', [])
    .action(async (options: AddOptions) => {
      const context = createContext(package_root, options);
      const member = await withDatabase(context, async (db) =>
        addUser(db, await organizationBySlug(db, options.org), {
          email: options.email,
          role: options.role,
          stores: options.store,
          regions: options.region,
        }),
      );
      if (options.json) printJson(member);
      else
        printLine(
          `${member.email} is ${member.role} of ${member.organization} (${member.user_id}).`,
        );
    });

  return group('user', 'People and what they may see.', [add]);
}
