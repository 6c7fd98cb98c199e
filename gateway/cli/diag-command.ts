/** `footbridge diag`: one file for somebody who cannot come to the store. */
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { LiveLine } from './terminal.ts';

interface DiagOptions {
  readonly out?: string;
  readonly log?: string;
  readonly json?: boolean;
}

export function addDiagCommand(program: Command, installation: Installation): void {
  program
    .command('diag')
    .description('write what an expert needs to see into one file, without secrets')
    .option('--out <file>', 'where to (default: footbridge-diag-TIME.tar.gz, here)')
    .option('--log <file>', 'the log of a gateway that is no service')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Findings, status, configuration, paired sensors, buffer statistics, the newest 2,000 lines of the log
and versions; no passwords, keys, tokens or PINs, no messages of devices, no counts.

Example:
  footbridge diag`,
    )
    .action(async (options: DiagOptions, command: Command) => {
      const { examine } = await import('../doctor/examine.ts');
      const { bundle } = await import('../diag/bundle.ts');
      const { tarOf } = await import('../diag/tar.ts');
      const line = new LiveLine();
      line.show('asking the doctor …');
      const findings = await examine(() => settingOf(command, installation), {
        installed_version: installation.version,
        proxy: installation.proxy,
        clock: systemClock,
      });
      line.show('reading the log …');
      const now = systemClock.now();
      const files = await bundle(placeOf(command, installation), {
        version: installation.version,
        now,
        findings,
        log: options.log,
        environment: installation.proxy === null ? [] : [installation.proxy],
      });
      line.end();
      const time = new Date(now).toISOString().replace(/\.\d+|[-:]/g, '');
      const out = options.out ?? `footbridge-diag-${time}.tar.gz`;
      const written = gzipSync(tarOf(files, now));
      // What is left about a store is its own business still. A file that is there keeps its mode.
      writeFileSync(out, written, { mode: 0o600, flag: 'wx' });
      const names = files.map(({ name }) => name);
      if (options.json === true) return printJson({ file: out, bytes: written.length, names });
      printLine(`${out}: ${names.length} files, ${Math.ceil(written.length / 1024)} KiB`);
      printLine(`Look through it before you send it: tar -xzf ${out}`);
    });
}

/** Null where the configuration has mistakes, which the doctor's findings say. */
function placeOf(command: Command, installation: Installation): Setting | null {
  try {
    return settingOf(command, installation);
  } catch (error) {
    if (error instanceof FootbridgeError && error.code === 'config_invalid') return null;
    throw error;
  }
}
