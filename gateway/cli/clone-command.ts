/** `footbridge sensor show|export|import`: one sensor in full; all of them, for a store like this one. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { problemText, readYaml } from '../config/yaml.ts';
import { askDaemon } from '../local/local-client.ts';
import type { Crossings } from '../meters/tally.ts';
import { type Sensor, sensorSchema } from '../pairing/sensor.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import type { GatewayStatus } from '../status.ts';
import { ago } from './ago.ts';
import { printNext } from './command-line.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { isNotRunning, viaDaemon } from './via-daemon.ts';

/** A login stays with its device, and how many devices there were with its store. */
const cloneSchema = z.strictObject({
  sensors: z
    .array(sensorSchema.omit({ secret_sha256: true, secret_digest: true, replaced: true }))
    .min(1),
});

export function addShow(sensor: Command, installation: Installation): void {
  sensor
    .command('show <sensor_id>')
    .description('show one sensor: how it is paired, and what it has counted since the start')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge sensor show front-door')
    .action(async (sensor_id: string, options: { json?: boolean }, command: Command) => {
      const { socket } = settingOf(command, installation).files;
      const paired = withoutLogin(await askDaemon<Sensor>(socket, 'GET', `/sensors/${sensor_id}`));
      const counted = await askDaemon<Crossings & { inside: number | null }>(
        socket,
        'GET',
        `/counts/${sensor_id}`,
      );
      const { sensors } = await askDaemon<GatewayStatus>(socket, 'GET', '/status');
      const seen = sensors.find((each) => each.sensor_id === sensor_id);
      const last_seen_at = seen?.last_seen_at ?? null;
      if (options.json === true) return printJson({ ...paired, counted, last_seen_at });
      for (const [field, value] of Object.entries(paired)) printLine(`${field.padEnd(12)}${value}`);
      const people = seen?.kind === 'zone' ? `${counted.inside ?? '–'} inside` : peopleOf(counted);
      printLine(`${'counted'.padEnd(12)}${people}, since the gateway started`);
      printLine(`${'last seen'.padEnd(12)}${ago(last_seen_at)}`);
    });
}

export function addExport(sensor: Command, installation: Installation): void {
  sensor
    .command('export')
    .description('print all sensors, for `sensor import` in a store with the same devices')
    .addHelpText(
      'after',
      '\nLogins stay here.\n\nExample:\n  footbridge sensor export > sensors.json',
    )
    .action(async (_options: object, command: Command) => {
      const sensors = await pairedIn(settingOf(command, installation));
      printJson({
        sensors: sensors.map((sensor) => {
          const { replaced: _devices, ...kept } = withoutLogin(sensor);
          return kept;
        }),
      });
    });
}

export function addImport(sensor: Command, installation: Installation): void {
  sensor
    .command('import <file>')
    .description('pair all sensors of an export, or none; the same file again changes nothing')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge sensor import sensors.json')
    .action(async (file: string, options: { json?: boolean }, command: Command) => {
      const wanted = readClone(file);
      const setting = settingOf(command, installation);
      const paired = await pairedIn(setting);
      const before = new Map(
        paired.map((known) => [known.sensor_id, JSON.stringify(clonedOf(known))]),
      );
      await viaDaemon<unknown>(
        setting,
        (socket) => askDaemon(socket, 'POST', '/sensors/import', { sensors: wanted }),
        (pairing) => pairing.pairAll(wanted),
      );
      const changed = wanted.filter(
        (each) => before.get(each.sensor_id) !== JSON.stringify(clonedOf(each)),
      );
      if (options.json === true) {
        return printJson({ sensors: wanted.length, changed: changed.map((one) => one.sensor_id) });
      }
      printLine(`${wanted.length} sensors, ${changed.length} of them new or changed`);
      printNext(command, installation, 'sensor', 'list');
    });
}

/** @throws FootbridgeError usage with every mistake and its line; nothing is paired then. */
function readClone(file: string): z.infer<typeof cloneSchema>['sensors'] {
  if (!existsSync(file)) throw new FootbridgeError('usage', `${file} does not exist`);
  const checked = readYaml(readFileSync(file, 'utf8'), cloneSchema);
  if (!checked.ok) throw new FootbridgeError('usage', problemText(file, checked.problems));
  return checked.value.sensors;
}

/** From the daemon where one runs: its file is closed to people of the group. */
async function pairedIn({ files, catalogue }: Setting): Promise<Sensor[]> {
  try {
    const { sensors } = await askDaemon<GatewayStatus>(files.socket, 'GET', '/status');
    const path = (sensor_id: string) => `/sensors/${sensor_id}`;
    return await Promise.all(
      sensors.map((each) => askDaemon<Sensor>(files.socket, 'GET', path(each.sensor_id))),
    );
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    return new SensorRegistry(files.sensors, catalogue()).list().map(({ sensor }) => sensor);
  }
}

function clonedOf(sensor: Partial<Sensor>): [string, unknown][] {
  const { secret_sha256: _login, secret_digest: _digest, replaced: _devices, ...kept } = sensor;
  return Object.entries(kept).sort(([a], [b]) => a.localeCompare(b));
}

function withoutLogin({
  secret_sha256: _login,
  secret_digest: _digest,
  ...sensor
}: Sensor): Omit<Sensor, 'secret_sha256' | 'secret_digest'> {
  return sensor;
}

function peopleOf(counted: Crossings): string {
  return `${counted.in} in, ${counted.out} out`;
}
