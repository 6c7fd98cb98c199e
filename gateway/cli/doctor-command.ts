/** `footbridge doctor`: why a count may be missing, the most fundamental cause first. */
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { errorText, exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { diagnose, type Finding } from '../local/diagnosis.ts';
import { askDaemon } from '../local/local-client.ts';
import type { GatewayStatus } from '../status.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';

const marks = { good: 'good   ', warning: 'WARNING', fault: 'FAULT  ' } as const;

export function addDoctorCommand(program: Command, installation: Installation): void {
  program
    .command('doctor')
    .description('check the way of a count from sensor to HQ; exits 1 when a fault is found')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge doctor')
    .action(async (options: { json?: boolean }, command: Command) => {
      const findings = await examine(command, installation);
      if (findings.some((finding) => finding.result === 'fault')) process.exitCode = exitCode.fault;
      if (options.json === true) return printJson({ findings });
      for (const { check, result, seen, todo } of findings) {
        printLine(`${marks[result]}  ${check}: ${seen}`);
        if (todo !== null) printLine(`         Try: ${todo}`);
      }
    });
}

async function examine(command: Command, installation: Installation): Promise<Finding[]> {
  let setting: Setting;
  try {
    setting = settingOf(command, installation);
    setting.catalogue();
  } catch (error) {
    return [fault('configuration', error)];
  }
  try {
    const status = await askDaemon<GatewayStatus>(setting.files.socket, 'GET', '/status');
    return diagnose(status, systemClock.now());
  } catch (error) {
    return [fault('daemon', error)];
  }
}

function fault(check: string, error: unknown): Finding {
  const todo = error instanceof FootbridgeError ? error.hint : null;
  return { check, result: 'fault', seen: errorText(error), todo };
}
