/** `footbridge run` and `footbridge check-config`. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { favourMemory, favourSpeed } from '../../shared/runtime/heap-mode.ts';
import { terminationSignal } from '../../shared/runtime/lifecycle.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import { type Installation, settingOf } from './setting.ts';

export function addRunCommands(program: Command, installation: Installation): void {
  program
    .command('run')
    .description('count: read the sensors, keep the readings, deliver them to HQ')
    .addHelpText('after', '\nExample:\n  footbridge run --data-dir ./store-data')
    .action(async (_options, command: Command) => {
      const setting = settingOf(command, installation);
      const log = createLog({
        level: setting.config.log_level,
        name: 'footbridge',
        journal: installation.journal,
      });
      const stopped = terminationSignal();
      favourMemory();
      const { startGateway } = await import('../main.ts');
      const gateway = await startGateway({
        config: setting.config,
        built_in: setting.builtIn(),
        version: installation.version,
        notify: installation.notify,
        log,
      });
      favourSpeed();
      log.info({ signal: await stopped }, 'stopping');
      await gateway.stop();
    });

  program
    .command('check-config')
    .description('check configuration, profiles and paired sensors without starting anything')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge check-config --config ./footbridge.yaml')
    .action((options: { json?: boolean }, command: Command) => {
      const { config, files, catalogue } = settingOf(command, installation);
      const sensors = new SensorRegistry(files.sensors, catalogue()).list().length;
      if (options.json === true) printJson({ ok: true, config, sensors });
      else printLine(`good: ${config.sources.length} sources, ${sensors} sensors paired`);
    });
}
