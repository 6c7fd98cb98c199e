#!/usr/bin/env node
/** The command of headquarters: see `footbridge-hq --help`. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CommanderError } from 'commander';
import { printError } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { program } from './commands.ts';

/** The code runs from dist/, the migrations lie beside it: the package is where both meet. */
function packageRoot(): string {
  for (let at = import.meta.dirname; at !== path.dirname(at); at = path.dirname(at)) {
    if (existsSync(path.join(at, 'migrations')) && existsSync(path.join(at, 'package.json'))) {
      return at;
    }
  }
  throw new Error('migrations/ is not in the package');
}

try {
  await program(packageRoot()).parseAsync();
} catch (error) {
  // commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCode.good : exitCode.usage;
  } else {
    printError(error);
  }
}
