/** `footbridge sensor pair`: which device is which sensor; asks on a terminal, takes flags in a script. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { askDaemon } from '../local/local-client.ts';
import { directions } from '../meters/direction.ts';
import type { Crossings } from '../meters/tally.ts';
import { secretHash } from '../sources/access.ts';
import { digestHash } from '../sources/digest.ts';
import { type SensorStatus, sensorStatus } from '../status.ts';
import { commandLine, printNext } from './command-line.ts';
import { type Chosen, choosePairing } from './pair-dialogue.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { confirm, isAttended, showUntilEnter, styled } from './terminal.ts';
import { viaDaemon } from './via-daemon.ts';
import { walkTest } from './walk-test-command.ts';
import { wholeNumber } from './whole-number.ts';

export interface PairOptions {
  source: string;
  profile?: string;
  topic?: string;
  path?: string;
  login?: boolean;
  unit?: string;
  register?: string;
  device?: string;
  direction?: string;
  name?: string;
  replaced?: boolean;
  yes?: boolean;
  json?: boolean;
}

const look_every_ms = 300;

export function addPair(sensor: Command, installation: Installation): void {
  sensor
    .command('pair [sensor_id]')
    .description('say which device is which sensor; the same id again changes it')
    .option('--source <name>', 'source of the configuration that hears the device', 'sensors')
    .option('--profile <name>', 'how to read it; see `footbridge profile list`')
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
    .option('--replaced', 'a new device took the place of the old one, at the same address')
    .option('-y, --yes', 'ask nothing')
    .option('--json', 'print one JSON document; asks nothing')
    .addHelpText(
      'after',
      `
On a terminal, what is left out is asked for: without anything, it listens and lets you choose.

Examples:
  footbridge sensor pair
  footbridge sensor pair front-door --profile json-interval --topic counters/front-door
  footbridge sensor pair west-door --source push --profile json-total --path /west --login
  footbridge sensor pair back-door --source beams --profile modbus-counter-16 --unit 5 --register 0
  footbridge sensor pair side-door --source counter-line --profile hpc168 --unit 1`,
    )
    .action(async (sensor_id: string | undefined, options: PairOptions, command: Command) => {
      const setting = settingOf(command, installation);
      const asks = options.yes !== true && options.json !== true && isAttended();
      const chosen = await chosenOf(sensor_id, options, setting, asks);
      const password = options.login === true ? randomBytes(16).toString('base64url') : undefined;
      const wanted = {
        ...wantedOf(chosen.sensor_id, { ...options, ...chosen.options }),
        ...(password === undefined
          ? {}
          : {
              secret_sha256: secretHash(password),
              secret_digest: digestHash(chosen.sensor_id, password),
            }),
      };
      const isReplaced = options.replaced === true;
      const paired = await viaDaemon(
        setting,
        (socket) =>
          askDaemon<SensorStatus>(
            socket,
            'POST',
            `/sensors${isReplaced ? '?replaced' : ''}`,
            wanted,
          ),
        (pairing) => sensorStatus(pairing.pair(wanted, isReplaced), null),
      );
      const login = password === undefined ? undefined : { username: paired.sensor_id, password };
      if (options.json === true) return printJson({ ...paired, ...(login && { login }) });
      printPaired(paired, login);
      if (asks) return watchAndTest(command, installation, setting, paired);
      const next = paired.kind === 'line' ? ['sensor', 'walk-test', paired.sensor_id] : ['status'];
      printNext(command, installation, ...next);
    });
}

/** @throws FootbridgeError usage when something is missing and nobody can be asked. */
async function chosenOf(
  sensor_id: string | undefined,
  options: PairOptions,
  setting: Setting,
  asks: boolean,
): Promise<Chosen> {
  if (sensor_id !== undefined && options.profile !== undefined) return { sensor_id, options: {} };
  if (asks) return choosePairing(sensor_id, setting);
  const missing = sensor_id === undefined ? 'the sensor’s id' : '--profile';
  throw new FootbridgeError('usage', `${missing} is missing`, {
    hint: 'See `footbridge sensor discover` for the devices and their commands, and --help.',
  });
}

function wantedOf(sensor_id: string, options: PairOptions): object {
  const { source, profile, topic, path, device, direction, name } = options;
  return {
    sensor_id,
    profile,
    source,
    ...(name === undefined ? {} : { name }),
    ...(topic === undefined ? {} : { topic }),
    ...(path === undefined ? {} : { path }),
    ...(device === undefined ? {} : { device }),
    ...(direction === undefined ? {} : { direction }),
    ...wholeNumber('unit', options.unit),
    ...wholeNumber('register', options.register),
  };
}

function printPaired(paired: SensorStatus, login?: { username: string; password: string }): void {
  const where = `${paired.source} ${paired.address}, ${paired.profile}`;
  printLine(`${styled('green', 'paired')} ${paired.sensor_id}: ${where}`);
  if (login === undefined) return;
  printLine(`login: name ${login.username}, password ${login.password}`);
  printLine('It is shown this once; enter it in the device now.');
}

/** Live values, then proof: who pairs stands below the sensor. */
async function watchAndTest(
  command: Command,
  installation: Installation,
  { files }: Setting,
  { sensor_id, kind }: SensorStatus,
): Promise<void> {
  const look = async () => {
    const seen = await askDaemon<Crossings & { inside: number | null }>(
      files.socket,
      'GET',
      `/counts/${sensor_id}`,
    );
    return kind === 'zone'
      ? `  inside ${seen.inside ?? '–'}`
      : `  in ${seen.in}   out ${seen.out}   walk through, and see it count`;
  };
  try {
    await look();
  } catch {
    // Without a daemon there is nothing to see yet; the pairing stands.
    printLine(`It counts once the gateway runs: ${commandLine(command, installation, 'run')}`);
    return;
  }
  await showUntilEnter(look, look_every_ms);
  if (kind === 'line' && (await confirm('Prove it with a walk test now?'))) {
    await walkTest(command, installation, sensor_id, { in: 2, out: 1, wait_s: 120 });
  } else printNext(command, installation, 'doctor');
}
