/**
 * The first hour in a store, in seconds: from the enrolment to a passed walk test by typing what the
 * command before has printed, from start to the first reading, and what an idle gateway costs.
 *
 * Runs what is built here; where `npm run package` has made a .deb, that one, unpacked.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { freePort } from '../demo/free-port.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import type { Measured } from './main.ts';
import { crossing, type Door, followPrinted, seconds, typed } from './printed-path.ts';

const clock = systemClock;
const root = fileURLToPath(new URL('../../', import.meta.url));
const limits = { walk_test_s: 90, commands: 8, first_reading_s: 3, idle_core_pct: 1 };
const idle_s = 20;
/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const ticks_per_s = 100;

export interface FirstStore {
  readonly installed_from: string;
  /** What was typed in the store, in order. */
  readonly commands: readonly string[];
  /** What the walk test said. */
  readonly walk_test: string;
  readonly walk_test_s: number;
  readonly first_reading_s: number;
  readonly idle_core_pct: number;
  /** What HQ says about the sensor. */
  readonly at_hq: { readonly sensor_id: string; readonly stage: string } | null;
}

export async function measure(): Promise<Measured> {
  const seen = await firstStore(idle_s, 'package');
  const line = (what: string, value: number, unit: string, limit: number) =>
    `${what.padEnd(44)}${value} ${unit}, limit ${limit}${value <= limit ? '' : '  MISSED'}`;
  return {
    document: { ...seen, limits },
    lines: [
      `from ${seen.installed_from}`,
      ...seen.commands.map((typed) => `  ${typed}`),
      line('enrolment to a passed walk test', seen.walk_test_s, 's', limits.walk_test_s),
      line('commands typed', seen.commands.length, '', limits.commands),
      line('start to the first reading on disk', seen.first_reading_s, 's', limits.first_reading_s),
      line('an idle gateway, of one core', seen.idle_core_pct, '%', limits.idle_core_pct),
      `at HQ: ${seen.at_hq === null ? 'nothing' : `${seen.at_hq.sensor_id} ${seen.at_hq.stage}`}`,
    ],
  };
}

/**
 * @param idle_seconds how long the idle gateway is watched; 0: not at all.
 * @param from what is run: what is built here, or the newest package if there is one.
 */
export async function firstStore(
  idle_seconds: number,
  from: 'tree' | 'package',
): Promise<FirstStore> {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-first-store-'));
  const running: ChildProcess[] = [];
  const start = (command: readonly string[], ...words: string[]) => {
    const [file = '', ...rest] = command;
    const child = spawn(file, [...rest, ...words], { stdio: 'ignore' });
    running.push(child);
    return child;
  };
  try {
    return await inStore(folder, installation(folder, from), start, idle_seconds);
  } finally {
    for (const child of running.reverse()) await ended(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Installed {
  readonly from: string;
  readonly footbridge: readonly string[];
  readonly footbridge_hq: readonly string[];
}

async function inStore(
  folder: string,
  { from, footbridge, footbridge_hq }: Installed,
  start: (command: readonly string[], ...words: string[]) => ChildProcess,
  idle_seconds: number,
): Promise<FirstStore> {
  const [hq_port, mqtt_port] = [await freePort(), await freePort()];
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `data_dir: ${folder}/data
page: { enabled: false }
sources: [{ name: sensors, kind: mqtt-listen, host: 127.0.0.1, port: ${mqtt_port} }]
`,
  );
  const hq_data = ['--data-dir', join(folder, 'hq')];
  const onHq = (...words: string[]) => typed(footbridge_hq, [...words, ...hq_data, '--json']);
  start(footbridge_hq, 'serve', ...hq_data, '--listen', `127.0.0.1:${hq_port}`);
  await listening(hq_port);
  const store = ['--org', 'acme', '--store', 'mad-1'];
  await onHq('org', 'add', '--slug', 'acme', '--name', 'Acme');
  const where = ['--code', 'mad-1', '--name', 'Madrid', '--timezone', 'Europe/Madrid'];
  await onHq('store', 'add', '--org', 'acme', ...where);
  const who = ['--email', 'mar@acme.example', '--role', 'store_manager', '--store', 'mad-1'];
  await onHq('user', 'add', '--org', 'acme', ...who);
  const { token } = JSON.parse((await onHq('gateway', 'invite', ...store)).stdout);
  let gateway = start(footbridge, '--config', config, 'run');
  const sensor = await simulatedSensor(mqtt_port);

  const hq = `http://127.0.0.1:${hq_port}`;
  const first = ['--config', config, 'enroll', '--hq', hq, '--token', token as string];
  await sensor.cross('in');
  const at = { door: sensor, socket: join(folder, 'data/footbridge.sock') };
  const { commands, verdict, walk_test_s } = await followPrinted(footbridge, first, at);

  const asked = ['report', 'commissioning', ...store, '--as', 'mar@acme.example'];
  const at_hq = await untilKnown(async () => {
    const report = JSON.parse((await onHq(...asked)).stdout) as { sensors: FirstStore['at_hq'][] };
    return report.sensors.find((each) => each?.stage === 'tuned') ?? null;
  });
  await sensor.stop();
  await ended(gateway);

  const started = clock.monotonic();
  gateway = start(footbridge, '--config', config, 'run');
  const again = await simulatedSensor(mqtt_port);
  await again.cross('in');
  const first_reading_s = seconds(clock.monotonic() - started);
  const idle_core_pct = await idleShare(gateway, idle_seconds);
  await again.stop();
  const walk = { walk_test: verdict, walk_test_s };
  return { installed_from: from, commands, ...walk, first_reading_s, idle_core_pct, at_hq };
}

/** A sensor that tells each crossing and waits for its acknowledgement. */
async function simulatedSensor(port: number): Promise<Door & { stop(): Promise<unknown> }> {
  await listening(port);
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
  return {
    cross: async (...ways) => {
      for (const way of ways) {
        await client.publishAsync('counters/front-door', crossing(way), { qos: 1 });
      }
    },
    stop: () => client.endAsync(true),
  };
}

async function idleShare({ pid }: ChildProcess, seconds: number): Promise<number> {
  if (seconds === 0) return Number.NaN;
  // What a start leaves to do is not idleness.
  await clock.sleep(5_000);
  const cpu_s = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks_per_s;
  };
  const before = cpu_s();
  await clock.sleep(seconds * 1000);
  return Math.round(((cpu_s() - before) / seconds) * 10_000) / 100;
}

/** The newest package for this machine, unpacked, or what is built here. */
function installation(folder: string, wanted: 'tree' | 'package'): Installed {
  const packages = join(root, 'dist/packages');
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const found = existsSync(packages) ? readdirSync(packages).sort() : [];
  const of = (name: string) =>
    found.filter((file) => file.startsWith(`${name}_`) && file.endsWith(`_${arch}.deb`)).at(-1);
  const node = (file: string) => [process.execPath, file];
  const here = node(join(root, 'dist/cloud-sync/cli/footbridge-hq.js'));
  const deb = wanted === 'package' ? of('footbridge') : undefined;
  if (deb === undefined) {
    const footbridge = node(join(root, 'dist/gateway/cli/footbridge.js'));
    return { from: 'the built tree', footbridge, footbridge_hq: here };
  }
  const unpacked = join(folder, 'deb');
  mkdirSync(unpacked);
  const { status, stderr } = spawnSync('dpkg', ['-x', join(packages, deb), unpacked]);
  if (status !== 0) throw new Error(`dpkg -x ${deb}: ${stderr}`);
  const entry = spawnSync('find', [unpacked, '-name', 'footbridge.js', '-path', '*gateway/cli*']);
  const file = entry.stdout.toString().trim().split('\n')[0] ?? '';
  return { from: deb, footbridge: node(file), footbridge_hq: here };
}

async function untilKnown<T>(ask: () => Promise<T | null>): Promise<T | null> {
  const until = clock.monotonic() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer !== null || clock.monotonic() > until) return answer;
    await clock.sleep(250);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill();
  await exit;
}

/** Resolves when somebody listens. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 6_000; tries++) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await clock.sleep(10);
  }
  throw new Error(`nobody listens on port ${port}`);
}
