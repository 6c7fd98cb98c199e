#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --v8-pool-size=1 --max-semi-space-size=4 --expose-gc
/**
 * The command `footbridge`: what runs in a store, and what people there type.
 *
 * Store PCs have memory for little else (`npm run bench -- footprint`), so V8 keeps its young objects in 4 MB and
 * is told when loading is over (heap-mode.ts), and nine threads share two heaps of C instead of having one each.
 * One thread compiles in the background, not four: they would take their cores from the threads that count.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { printError } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { addCommands } from './commands.ts';
import type { Installation } from './setting.ts';

// Compiled, this file lies in dist/gateway/cli.
const root = new URL('../../../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  version: string;
};
const { NOTIFY_SOCKET, WATCHDOG_USEC, JOURNAL_STREAM } = process.env;
const { HTTPS_PROXY, HTTP_PROXY, npm_command } = process.env;
const installation: Installation = {
  called: npm_command === 'exec' ? 'npx footbridge' : 'footbridge',
  version,
  notify: { NOTIFY_SOCKET, WATCHDOG_USEC },
  journal: JOURNAL_STREAM,
  proxy: HTTPS_PROXY ?? HTTP_PROXY ?? null,
  built_in_profiles: fileURLToPath(new URL('gateway/profiles/built-in', root)),
};

const program = new Command('footbridge')
  .description('Carries footfall from the sensors of this store to headquarters.')
  .version(version)
  .option('--config <file>', 'configuration (default: /etc/footbridge/footbridge.yaml)')
  .option('--data-dir <folder>', 'where buffer and credential lie, instead of the configured place')
  .showHelpAfterError('See --help.')
  .addHelpText('after', '\nExample:\n  footbridge doctor')
  .exitOverride();

try {
  await addCommands(program, installation, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) printError(error);
  else if (error.exitCode !== 0) process.exitCode = exitCode.usage;
}
// The writer thread of a gateway that failed to start would keep the process alive.
process.exit();
