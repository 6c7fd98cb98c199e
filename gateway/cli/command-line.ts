/** Prints the command that comes next so that it can be copied as it stands. */
import type { Command } from 'commander';
import { printLine } from '../../shared/runtime/command-output.ts';
import type { Installation } from './setting.ts';
import { styled } from './terminal.ts';

/** A whole command line: as this one was called, with the options before it that hold for all. */
export function commandLine(
  command: Command,
  { called }: Installation,
  ...words: readonly string[]
): string {
  const { config, dataDir } = command.optsWithGlobals<{ config?: string; dataDir?: string }>();
  const named = [
    ...(config === undefined ? [] : ['--config', config]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
  ];
  return [called, ...[...named, ...words].map(quoted)].join(' ');
}

export function printNext(
  command: Command,
  installation: Installation,
  ...words: readonly string[]
): void {
  printLine(`Next: ${styled('bold', commandLine(command, installation, ...words))}`);
}

/** For a shell: words of plain characters stay as they are. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
