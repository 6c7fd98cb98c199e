/** `footbridge-hq doctor`. */
import type { Command } from 'commander';
import type { Finding } from '../../shared/findings/finding.ts';
import { printFindings } from '../../shared/findings/print-findings.ts';
import { checkDatabase } from '../db/checks.ts';
import { Database } from '../db/pool.ts';
import { command } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withServer } from './context.ts';

export function doctorCommand(package_root: string): Command {
  return command('doctor', {
    summary: 'Check the database and what protects it; exit 1 when something is wrong.',
    example: 'footbridge-hq doctor --data-dir /var/lib/footbridge-hq',
  }).action(async (options: CommonOptions) => {
    const context = createContext(package_root, options);
    const { log, clock, migrations_dir } = context;
    const findings = await withServer(context, async (server): Promise<Finding[]> => {
      const db = new Database({ url: server.service_url, log, name: 'footbridge-hq doctor' });
      try {
        return await checkDatabase({ db, server, migrations_dir, clock });
      } finally {
        await db.close();
      }
    });
    printFindings(findings, options.json === true);
  });
}
