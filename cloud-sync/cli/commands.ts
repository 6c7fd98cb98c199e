/** The commands of `footbridge-hq`, in the order of the help. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { alertCommand } from './alert-command.ts';
import { backupCommand } from './backup-command.ts';
import { biCommand } from './bi-command.ts';
import { calendarCommand } from './calendar-command.ts';
import { checkConfigCommand } from './check-config-command.ts';
import { completionCommand } from './completion-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { estimateCommand } from './estimate-command.ts';
import { gatewayCommand } from './gateway-command.ts';
import { keyCommand } from './key-command.ts';
import { ledgerCommand } from './ledger-command.ts';
import { migrateCommand } from './migrate-command.ts';
import { notifyCommand } from './notify-command.ts';
import { orgCommand } from './org-command.ts';
import { regionCommand } from './region-command.ts';
import { reportCommand } from './report-command.ts';
import { retentionCommand } from './retention-command.ts';
import { rollupCommand } from './rollup-command.ts';
import { sensorCommand } from './sensor-command.ts';
import { serveCommand } from './serve-command.ts';
import { storeCommand } from './store-command.ts';
import { userCommand } from './user-command.ts';
import { zoneCommand } from './zone-command.ts';

/** @param root the folder of the package: package.json and migrations. */
export function program(root: string): Command {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const made = new Command('footbridge-hq')
    .description('Headquarters of Footbridge: receives counts, keeps hours, watches stores.')
    .version(version)
    .addHelpText('after', '\nExample:\n  footbridge-hq serve --listen 127.0.0.1:8480');
  const commands = [
    serveCommand(root),
    checkConfigCommand(),
    migrateCommand(root),
    orgCommand(root),
    storeCommand(root),
    regionCommand(root),
    zoneCommand(root),
    sensorCommand(root),
    calendarCommand(root),
    gatewayCommand(root),
    ledgerCommand(root),
    userCommand(root),
    keyCommand(root),
    biCommand(root),
    reportCommand(root),
    alertCommand(root),
    notifyCommand(root),
    rollupCommand(root),
    estimateCommand(root),
    retentionCommand(root),
    backupCommand(root),
    doctorCommand(root),
    completionCommand(() => made),
  ];
  for (const one of commands) made.addCommand(one);
  throwInsteadOfExit(made);
  return made;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const one of command.commands) throwInsteadOfExit(one as Command);
}
