/** `footbridge source list|test|add`: the connections to sensors, and whether one works. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { askDaemon } from '../local/local-client.ts';
import type { SourceStatus } from '../sources/source.ts';
import type { GatewayStatus } from '../status.ts';
import { ago } from './ago.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';
import { addSourceAdd } from './source-add-command.ts';

interface Tested {
  /** Whether the running daemon was watched, or the source was opened for the test alone. */
  readonly by: 'daemon' | 'test';
  readonly seconds: number;
  /** Frames that came meanwhile. */
  readonly frames: number;
  readonly status: SourceStatus;
}

const look_every_ms = 100;

export function addSourceCommands(program: Command, installation: Installation): void {
  const source = program.command('source').description('the connections to sensors');
  source
    .command('list')
    .description('list the sources and their state')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge source list')
    .action(async (options: { json?: boolean }, command: Command) => {
      const { socket } = settingOf(command, installation).files;
      const { sources } = await askDaemon<GatewayStatus>(socket, 'GET', '/status');
      if (options.json === true) printJson({ sources });
      else printSources(sources);
    });
  source
    .command('test <name>')
    .description('watch one source for a while; exits 1 unless it and all its units work')
    .option('--for <seconds>', 'how long to watch', '10')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Without a daemon the source is opened for the test alone. Nothing is stored then, so nothing is
acknowledged: sensors that wait for an answer send the same again to the daemon.

Example:
  footbridge source test beams --for 5`,
    )
    .action(async (name: string, options: { for: string; json?: boolean }, command: Command) => {
      const seconds = secondsOf(options.for);
      const tested = await test(settingOf(command, installation), name, seconds);
      const works =
        tested.status.state === 'running' &&
        tested.status.units.every(({ state }) => state === 'answering');
      if (!works) process.exitCode = exitCode.fault;
      if (options.json === true) return printJson(tested);
      printTested(tested);
    });
  addSourceAdd(source);
}

/** @throws FootbridgeError source_unknown */
async function test(setting: Setting, name: string, seconds: number): Promise<Tested> {
  const known = setting.config.sources.map((source) => source.name);
  if (!known.includes(name)) {
    throw new FootbridgeError('source_unknown', `"${name}"; known: ${known.join(', ')}`);
  }
  const { socket } = setting.files;
  const ofDaemon = async () => {
    const { sources } = await askDaemon<GatewayStatus>(socket, 'GET', '/status');
    const found = sources.find(({ source }) => source === name);
    if (found === undefined) {
      const hint = 'Restart the daemon, so that it reads the configuration that names it.';
      throw new FootbridgeError('source_unknown', `the daemon runs without "${name}"`, { hint });
    }
    return found;
  };
  try {
    const before = await ofDaemon();
    await systemClock.sleep(seconds * 1000);
    const status = await ofDaemon();
    return { by: 'daemon', seconds, frames: status.frames - before.frames, status };
  } catch (error) {
    if (!(error instanceof FootbridgeError && error.code === 'not_running')) throw error;
    return testAlone(setting, name, seconds);
  }
}

async function testAlone(setting: Setting, name: string, seconds: number): Promise<Tested> {
  const { Pairing } = await import('../pairing/pairing.ts');
  const { SensorRegistry } = await import('../pairing/sensor-registry.ts');
  const { openSource } = await import('../sources/open-source.ts');
  const config = setting.config.sources.filter((source) => source.name === name);
  const registry = new SensorRegistry(setting.files.sensors, setting.catalogue());
  const around = {
    accept: () => new Promise<void>(() => {}),
    clock: systemClock,
    log: silentLog,
    hostname: hostname(),
  };
  const sources = await Promise.all(config.map((source) => openSource(source, around)));
  new Pairing(setting.config.sources, registry, sources).applyToSources();
  for (const source of sources) await source.start();
  const [source] = sources;
  if (source === undefined) throw new Error(`no source ${name}`);
  try {
    const until = systemClock.monotonic() + seconds * 1000;
    while (systemClock.monotonic() < until && !isAsked(source.status())) {
      await systemClock.sleep(look_every_ms);
    }
    const status = source.status();
    return { by: 'test', seconds, frames: status.frames, status };
  } finally {
    await source.stop();
  }
}

/** A bus whose units have all been asked has nothing more to show. */
function isAsked({ units }: SourceStatus): boolean {
  return units.length > 0 && units.every(({ state }) => state !== 'unasked');
}

function printTested({ by, seconds, frames, status }: Tested): void {
  const how = by === 'daemon' ? 'in the running daemon' : 'opened for this test, nothing stored';
  printLine(`${status.source} (${status.kind}, ${how}): ${status.state}`);
  if (status.error !== null) printLine(`  ${status.error}`);
  if (status.last_refusal !== null) {
    printLine(`  ${status.refused} devices turned away, the last: ${status.last_refusal}`);
  }
  printLine(`${frames} frames in ${seconds} s, the last ${ago(status.last_frame_at)}`);
  if (status.units.length === 0) return;
  printLine();
  printTable(
    ['UNIT', 'STATE', 'ERROR'],
    status.units.map(({ address, state, error }) => [address, state, error ?? '']),
  );
}

/** @throws FootbridgeError usage */
function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 3600) return seconds;
  throw new FootbridgeError('usage', `--for is "${text}"; it takes 1 to 3600 seconds`);
}

export function printSources(sources: GatewayStatus['sources']): void {
  printTable(
    ['SOURCE', 'KIND', 'STATE', 'FRAMES', 'LAST FRAME', 'ERROR'],
    sources.map((source) => [
      source.source,
      source.kind,
      source.state,
      String(source.frames),
      ago(source.last_frame_at),
      source.error ?? '',
    ]),
  );
}
