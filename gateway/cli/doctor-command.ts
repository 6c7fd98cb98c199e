/** `footbridge doctor`: why a count may be missing, the most fundamental cause first. */
import type { Command } from 'commander';
import { printFindings } from '../../shared/findings/print-findings.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type Installation, settingOf } from './setting.ts';

export function addDoctorCommand(program: Command, installation: Installation): void {
  program
    .command('doctor')
    .description('check the way of a count from sensor to HQ; exits 1 when a fault is found')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The first line names the cause; what follows from it stands below. docs/troubleshooting.md has
every finding by its symptom.

Example:
  footbridge doctor`,
    )
    .action(async (options: { json?: boolean }, command: Command) => {
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine(() => settingOf(command, installation), {
        installed_version: installation.version,
        proxy: installation.proxy,
        clock: systemClock,
      });
      printFindings(findings, options.json === true);
    });
}
