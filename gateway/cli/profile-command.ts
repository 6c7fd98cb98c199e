/** `footbridge profile list|test`: what the gateway can read, and what a frame means. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { type Direction, directions } from '../meters/direction.ts';
import { profileNamed, readProfile } from '../profiles/catalogue.ts';
import type { Profile } from '../profiles/profile.ts';
import { type Trial, tryFrames } from './profile-trial.ts';
import { type Installation, settingOf } from './setting.ts';

interface TestOptions {
  port?: string;
  direction: string;
  at?: string;
  json?: boolean;
}

export function addProfileCommands(program: Command, installation: Installation): void {
  const profile = program.command('profile').description('look at what the gateway can read');
  profile
    .command('list')
    .description('list built-in and site profiles')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge profile list')
    .action((options: { json?: boolean }, command: Command) => {
      const profiles = [...settingOf(command, installation).catalogue().values()];
      if (options.json === true) return printJson({ profiles });
      const rows = profiles.map(({ name, transport, title }) => [name, transport, title]);
      printTable(['PROFILE', 'TRANSPORT', 'READS'], rows);
    });

  profile
    .command('test <profile> <payload...>')
    .description('show what frames mean: values, measures, readings')
    .option('--port <number>', 'LoRaWAN port of bytes that are out of their envelope')
    .option('--direction <how>', `how the counter is mounted: ${directions.join(', ')}`, 'as-is')
    .option('--at <time>', 'when the first frame was received (default: now)')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
A profile is a name of \`footbridge profile list\`, or a file. A payload is a file, hex digits, or text;
several follow one another a minute apart.

Examples:
  footbridge profile test json-total '{"in": 10, "out": 7}' '{"in": 12, "out": 7}'
  footbridge profile test terabee-l-xl 000000c8000001c800 --port 1
  footbridge profile test ./my-sensor.yaml captured.json --json`,
    )
    .action(async (named: string, payloads: string[], options: TestOptions, command: Command) => {
      const profile = /\.ya?ml$/.test(named)
        ? readProfile(named)
        : profileNamed(settingOf(command, installation).catalogue(), named);
      const { ScriptSandbox } = await import('../profiles/script-sandbox.ts');
      const sandbox = new ScriptSandbox(systemClock);
      const frames = await tryFrames(
        profile,
        payloads.flatMap((text) => payloadOf(profile, text)),
        {
          runScript: sandbox.run,
          direction: directionOf(options.direction),
          port: options.port === undefined ? undefined : portOf(options.port),
          received_at: options.at === undefined ? systemClock.now() : timeOf(options.at),
        },
      );
      await sandbox.close();
      if (options.json === true) printJson({ profile: profile.name, frames });
      else for (const frame of frames) printTrial(frame);
      if (frames.some(({ outcome }) => outcome === 'fault')) process.exitCode = exitCode.fault;
    });
}

/** Text is what most devices send; only a codec that reads bytes takes hex digits as bytes. */
function payloadOf(profile: Profile, written: string): Uint8Array[] {
  const bytes = existsSync(written) ? readFileSync(written) : Buffer.from(written);
  const text = bytes.toString('utf8').replaceAll(/\s/g, '');
  const reads_text = ['json', 'xml', 'csv'].includes(profile.codec.kind);
  if (reads_text || text === '' || !/^([0-9a-f]{2})+$/i.test(text)) return [bytes];
  return [Buffer.from(text, 'hex')];
}

/** @throws FootbridgeError usage */
function directionOf(text: string): Direction {
  const found = directions.find((each) => each === text);
  if (found !== undefined) return found;
  const known = directions.join(', ');
  throw new FootbridgeError('usage', `--direction is "${text}"; it takes one of ${known}`);
}

/** @throws FootbridgeError usage */
function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 255) return port;
  throw new FootbridgeError('usage', `--port is "${text}"; it takes a number from 0 to 255`);
}

/** @throws FootbridgeError usage */
function timeOf(text: string): number {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new FootbridgeError(
    'usage',
    `--at is "${text}"; it takes a time like 2026-03-01T10:00:00Z`,
  );
}

function printTrial(trial: Trial): void {
  for (const value of trial.values) printLine(`values    ${JSON.stringify(value)}`);
  if (trial.device !== null) printLine(`device    ${trial.device}`);
  if (trial.outcome === 'ignored') printLine(`ignored   ${trial.reason}`);
  if (trial.outcome === 'fault') printLine(`fault     ${trial.reason}: ${trial.detail}`);
  for (const { element, measures, device, dedupe_key } of trial.records) {
    const numbers = measures.map(({ target, value, semantics, role }) => {
      return `${target} ${value} (${role === 'primary' ? semantics : `${semantics}, ${role}`})`;
    });
    const at = [device.from, device.to].filter((time) => time !== null).map(isoOf);
    const where = element === '' ? 'the sensor' : element;
    printLine(
      `measures  ${where}: ${numbers.join(', ')}; ${at.join(' to ') || 'no time'}; key ${dedupe_key}`,
    );
  }
  for (const { reason, detail } of trial.refused) printLine(`refused   ${reason}: ${detail}`);
  if (trial.health !== null) printLine(`device    ${JSON.stringify(trial.health)}`);
  for (const reading of trial.readings) {
    const { sensor_id, observed_at, interval_s, flags } = reading;
    const what =
      reading.kind === 'count'
        ? `in ${reading.in} out ${reading.out}`
        : `${reading.region_id} occupancy ${reading.occupancy} dwell ${reading.dwell_s} s, longest ${reading.dwell_max_s} s`;
    printLine(
      `reading   ${sensor_id} ${isoOf(observed_at)} ${interval_s} s: ${what}, flags ${flags}`,
    );
  }
  for (const note of trial.notes) printLine(`meter     ${note}`);
  printLine();
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}
