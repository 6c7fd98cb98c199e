/** `footbridge-hq bi add|list|revoke`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { addBiLogin, listBiLogins, revokeBiLogin } from '../tenants/bi-logins.ts';
import { organizationBySlug } from '../tenants/organizations.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface OrgOptions extends CommonOptions {
  readonly org: string;
}

export function biCommand(package_root: string): Command {
  const add = command('add', {
    summary: 'Print a read-only database login for a BI tool, which sees what this person sees.',
    example: 'footbridge-hq bi add --org acme --as ana@acme.example --name Metabase',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--as <email>', 'the member it stands for')
    .requiredOption('--name <name>', 'what uses it')
    .action(async (options: OrgOptions & { as: string; name: string }) => {
      const context = createContext(package_root, options);
      const made = await withDatabase(context, async (db, server) => {
        const organization = await organizationBySlug(db, options.org);
        const login = await addBiLogin(db, server.owner_url, organization, options);
        return { ...login, url: urlOf(server.service_url, login) };
      });
      if (options.json) printJson({ organization: options.org, ...made });
      else {
        printLine(made.url);
        printLine(`Shown once. It sees what ${made.as} sees, in the views report_…`);
      }
    });

  const list = command('list', {
    summary: 'List the BI logins of an organization.',
    example: 'footbridge-hq bi list --org acme',
  })
    .requiredOption('--org <slug>', 'organization')
    .action(async (options: OrgOptions) => {
      const context = createContext(package_root, options);
      const logins = await withDatabase(context, async (db) =>
        listBiLogins(db, await organizationBySlug(db, options.org)),
      );
      if (options.json) printJson({ organization: options.org, logins });
      else {
        printTable(
          ['login', 'name', 'as', 'since', 'revoked'],
          logins.map((one) => [one.login, one.name, one.as, one.created_at, one.revoked_at]),
        );
      }
    });

  const revoke = command('revoke', {
    summary: 'End the connections of a BI login, and let it open no other.',
    example: 'footbridge-hq bi revoke --org acme --login bi_0f3c…',
  })
    .requiredOption('--org <slug>', 'organization')
    .requiredOption('--login <name>', 'login, from bi list')
    .action(async (options: OrgOptions & { login: string }) => {
      const context = createContext(package_root, options);
      const revoked = await withDatabase(context, async (db, server) =>
        revokeBiLogin(
          db,
          server.owner_url,
          await organizationBySlug(db, options.org),
          options.login,
        ),
      );
      if (options.json) printJson(revoked);
      else printLine(`Revoked ${revoked.login}.`);
    });

  return group('bi', 'Database logins of BI tools, read-only.', [add, list, revoke]);
}

/** The server and database that HQ uses, as this login. */
function urlOf(service_url: string, { login, password }: { login: string; password: string }) {
  const url = new URL(service_url);
  url.username = login;
  url.password = password;
  return url.href;
}
