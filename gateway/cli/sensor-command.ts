/** `footbridge sensor pair|list|unpair`. Goes through the daemon where one runs. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { askDaemon } from '../local/local-client.ts';
import { directions } from '../meters/direction.ts';
import type { Pairing } from '../pairing/pairing.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import { secretHash } from '../sources/access.ts';
import { type GatewayStatus, type SensorStatus, sensorStatus } from '../status.ts';
import { ago } from './ago.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { addAudit, addWalkTest } from './walk-test-command.ts';

interface PairOptions {
  source: string;
  profile: string;
  topic?: string;
  path?: string;
  login?: boolean;
  unit?: string;
  register?: string;
  device?: string;
  direction?: string;
  name?: string;
  json?: boolean;
}

export function addSensorCommands(program: Command, installation: Installation): void {
  const sensor = program.command('sensor').description('pair and list sensors');
  addPair(sensor, installation);
  addList(sensor, installation);
  addUnpair(sensor, installation);
  addWalkTest(sensor, installation);
  addAudit(sensor, installation);
}

function addPair(sensor: Command, installation: Installation): void {
  sensor
    .command('pair <sensor_id>')
    .description('say which device is which sensor; the same id again changes it')
    .requiredOption(
      '--source <name>',
      'source of the configuration that hears the device',
      'sensors',
    )
    .requiredOption('--profile <name>', 'how to read it; see `footbridge profile list`')
    .option('--topic <topic>', 'MQTT: the topic the device publishes to')
    .option(
      '--path <path>',
      'HTTP: the path it posts to, or device/ID where the source reads an id',
    )
    .option('--login', 'give the device a name and a password of its own, shown once')
    .option('--unit <number>', 'serial and Modbus: the device’s number on the line')
    .option('--register <number>', 'Modbus: first register, zero-based, where not the profile’s')
    .option('--device <name>', 'what the device calls itself, where several share a topic')
    .option('--direction <how>', `how it is mounted: ${directions.join(', ')} (default: as-is)`)
    .option('--name <text>', 'what people call it (default: the id)')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  footbridge sensor pair front-door --profile json-interval --topic counters/front-door
  footbridge sensor pair west-door --source push --profile json-total --path /west --login
  footbridge sensor pair back-door --source beams --profile modbus-counter-16 --unit 5 --register 0
  footbridge sensor pair side-door --source counter-line --profile hpc168 --unit 1`,
    )
    .action(async (sensor_id: string, options: PairOptions, command: Command) => {
      const { source, profile, topic, path, device, direction, name = sensor_id } = options;
      const password = options.login === true ? randomBytes(16).toString('base64url') : undefined;
      const wanted = {
        sensor_id,
        name,
        profile,
        source,
        ...(topic === undefined ? {} : { topic }),
        ...(path === undefined ? {} : { path }),
        ...(password === undefined ? {} : { secret_sha256: secretHash(password) }),
        ...(device === undefined ? {} : { device }),
        ...(direction === undefined ? {} : { direction }),
        ...wholeNumber('unit', options.unit),
        ...wholeNumber('register', options.register),
      };
      const paired = await viaDaemon(
        settingOf(command, installation),
        (socket) => askDaemon<SensorStatus>(socket, 'POST', '/sensors', wanted),
        (pairing) => sensorStatus(pairing.pair(wanted), null),
      );
      const login = password === undefined ? undefined : { username: sensor_id, password };
      if (options.json === true) return printJson({ ...paired, ...(login && { login }) });
      printLine(
        `paired ${paired.sensor_id}: ${paired.source} ${paired.address}, ${paired.profile}`,
      );
      if (login !== undefined) {
        printLine(`login: name ${login.username}, password ${login.password}`);
        printLine('It is shown this once; enter it in the device now.');
      }
    });
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

/** A running daemon must hear of a change at once; without one, the registry file is enough. */
async function viaDaemon<T>(
  setting: Setting,
  ask: (socket: string) => Promise<T>,
  write: (pairing: Pairing) => T,
): Promise<T> {
  try {
    return await ask(setting.files.socket);
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    mkdirSync(setting.config.data_dir, { recursive: true });
    const { Pairing } = await import('../pairing/pairing.ts');
    const registry = new SensorRegistry(setting.files.sensors, setting.catalogue());
    return write(new Pairing(setting.config.sources, registry, []));
  }
}

function isNotRunning(error: unknown): boolean {
  return error instanceof FootbridgeError && error.code === 'not_running';
}

/** @throws FootbridgeError usage */
function wholeNumber(option: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) {
    throw new FootbridgeError('usage', `--${option} is "${text}"; it takes a whole number`);
  }
  return { [option]: value };
}
