/** `footbridge sensor …`: the sensors of this store. Goes through the daemon where one runs. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { askDaemon } from '../local/local-client.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import { type GatewayStatus, type SensorStatus, sensorStatus } from '../status.ts';
import { ago } from './ago.ts';
import { addExport, addImport, addShow } from './clone-command.ts';
import { addDiscover } from './discover-command.ts';
import { addPair } from './pair-command.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { isNotRunning, viaDaemon } from './via-daemon.ts';
import { addAudit, addWalkTest } from './walk-test-command.ts';

export function addSensorCommands(program: Command, installation: Installation): void {
  const sensor = program.command('sensor').description('find, pair, test and list sensors');
  addDiscover(sensor, installation);
  addPair(sensor, installation);
  addList(sensor, installation);
  addShow(sensor, installation);
  addUnpair(sensor, installation);
  addWalkTest(sensor, installation);
  addAudit(sensor, installation);
  addExport(sensor, installation);
  addImport(sensor, installation);
}

function addList(sensor: Command, installation: Installation): void {
  sensor
    .command('list')
    .description('list the paired sensors')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge sensor list --json')
    .action(async (options: { json?: boolean }, command: Command) => {
      const sensors = await listed(settingOf(command, installation));
      if (options.json === true) return printJson({ sensors });
      const columns = ['SENSOR', 'NAME', 'PROFILE', 'SOURCE', 'ADDRESS', 'LAST SEEN'];
      printTable(
        columns,
        sensors.map((each) => [
          each.sensor_id,
          each.name,
          each.profile,
          each.source,
          each.address,
          ago(each.last_seen_at),
        ]),
      );
    });
}

function addUnpair(sensor: Command, installation: Installation): void {
  sensor
    .command('unpair <sensor_id>')
    .description('stop counting a sensor; what it counted stays')
    .addHelpText('after', '\nExample:\n  footbridge sensor unpair front-door')
    .action(async (sensor_id: string, _options, command: Command) => {
      await viaDaemon(
        settingOf(command, installation),
        (socket) => askDaemon(socket, 'DELETE', `/sensors/${sensor_id}`),
        (pairing) => pairing.unpair(sensor_id),
      );
      printLine(`unpaired ${sensor_id}`);
    });
}

async function listed({ files, catalogue }: Setting): Promise<readonly SensorStatus[]> {
  try {
    return (await askDaemon<GatewayStatus>(files.socket, 'GET', '/status')).sensors;
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    const registry = new SensorRegistry(files.sensors, catalogue());
    return registry.list().map((paired) => sensorStatus(paired, null));
  }
}
