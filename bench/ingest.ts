/**
 * MQTT QoS 1 to a row on disk: the gateway in both its ways, against a subscriber that only counts,
 * on the same Mosquitto, publisher and machine, in turns.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../demo/free-port.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { FootbridgeError } from '../shared/runtime/errors.ts';
import { bareFsync } from './bare-fsync.ts';
import { cpuTime_us } from './cpu-time.ts';
import { median, round2 } from './figures.ts';
import { end, heard, inFolder, openLoad, startGateway } from './gateway-process.ts';
import type { LoadResult } from './load-publisher.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const sensors = 50;
const messages = 100_000;
/** The machine is faster and slower from one second to the next: each is compared with the limit of its own round. */
const rounds = 9;
const dist = fileURLToPath(new URL('../', import.meta.url));
const mosquitto = '/usr/sbin/mosquitto';
/** How many messages each of 50 sensors has under way; 1,000 in all, as the receive maximum. */
const window = 20;
const warm_up_s = 3;
const steady_s = 5;
const steady_rate = 10_000;
const plan = { sensors, messages: 2 * messages, window, rate: null };

export async function measure(): Promise<Measured> {
  if (!existsSync(mosquitto)) {
    throw new FootbridgeError('usage', `${mosquitto} is missing; install Debian's mosquitto`);
  }
  const limits: Rates[] = [];
  const connects: Counted[] = [];
  const listens: Counted[] = [];
  for (let round = 0; round < rounds; round += 1) {
    limits.push(await inFolder(countingSubscriber));
    connects.push(await inFolder(connectMode));
    listens.push(await inFolder((folder) => listenMode(folder, {})));
  }
  const steady = await inFolder((folder) => listenMode(folder, { rate: steady_rate }));
  const disk = await inFolder(bareFsync);
  const slow = await inFolder((folder) => listenMode(folder, { fsync_ms: 20, window: 200 }));
  const ofLimit = (all: readonly Rates[], part: keyof Rates) =>
    round2(median(all.map((one, round) => one[part] / (limits[round]?.[part] ?? Number.NaN))));
  const cpu_us = (all: readonly Counted[]) => Math.round(median(all.map((one) => one.cpu_us)));
  const document = {
    limit_per_s: Math.round(perSecond(limits, 'running')),
    connect_per_s: Math.round(perSecond(connects, 'running')),
    connect_ratio: ofLimit(connects, 'running'),
    connect_cpu_us: cpu_us(connects),
    listen_per_s: Math.round(perSecond(listens, 'running')),
    listen_ratio: ofLimit(listens, 'running'),
    listen_cpu_us: cpu_us(listens),
    limit_per_s_from_start: Math.round(perSecond(limits, 'started')),
    connect_ratio_from_start: ofLimit(connects, 'started'),
    listen_ratio_from_start: ofLimit(listens, 'started'),
    p50_ms_at_10000: round2(steady.load.p50_ms),
    p99_ms_at_10000: round2(steady.load.p99_ms),
    max_ms_at_10000: round2(steady.load.max_ms),
    bare_fsync_p50_ms: round2(disk.p50_ms),
    bare_fsync_p99_ms: round2(disk.p99_ms),
    slow_fsync_per_s: Math.round(slow.running),
  };
  return {
    document,
    lines: [
      `${messages} messages of ${sensors} sensors, QoS 1, after as many; medians of ${rounds} rounds`,
      `limit: a subscriber that only counts   ${document.limit_per_s}/s`,
      `connect, PUBACK after fsync            ${document.connect_per_s}/s, ${document.connect_ratio} of the limit (at least 0.8), ${document.connect_cpu_us} µs CPU each`,
      `listen, PUBACK after fsync             ${document.listen_per_s}/s, ${document.listen_ratio} of the limit (at least 1.2), ${document.listen_cpu_us} µs CPU each`,
      `the first ${messages} after a start        limit ${document.limit_per_s_from_start}/s, connect ${document.connect_ratio_from_start}, listen ${document.listen_ratio_from_start} of it`,
      `listen at 10,000/s, publish to durable p50 ${document.p50_ms_at_10000} ms, p99 ${document.p99_ms_at_10000} ms (limit 15), after ${warm_up_s} s`,
      `limit: a bare fsync of as much         p50 ${document.bare_fsync_p50_ms} ms, p99 ${document.bare_fsync_p99_ms} ms`,
      `listen with 20 ms added to each fsync  ${document.slow_fsync_per_s}/s (at least 10000)`,
    ],
  };
}

/**
 * Messages a second of the first and of the second {@link messages}. V8 compiles while the first of them
 * come, on either side; a gateway that runs for months is what the second part shows.
 */
interface Rates {
  readonly started: number;
  readonly running: number;
}

interface Counted extends Rates {
  /** CPU time of the gateway for each message of the second part, µs: what a busy machine distorts less. */
  readonly cpu_us: number;
}

function perSecond(all: readonly Rates[], part: keyof Rates): number {
  return median(all.map((one) => one[part]));
}

async function countingSubscriber(folder: string): Promise<Rates> {
  const broker = await startMosquitto(folder);
  const subscriber = fork(`${dist}bench/counting-subscriber.js`, [
    String(broker.port),
    String(messages),
  ]);
  await heard(subscriber, 'ready');
  const load = await openLoad({ ...plan, port: broker.port });
  const part = async () => {
    const counted = heard(subscriber, 'done');
    const { at, done } = load.send(messages);
    await counted;
    const seconds = (clock.monotonic() - at) / 1000;
    await done;
    return messages / seconds;
  };
  const rates = { started: await part(), running: await part() };
  await Promise.all([load.end(), end(subscriber), end(broker.process)]);
  return rates;
}

async function connectMode(folder: string): Promise<Counted> {
  const broker = await startMosquitto(folder);
  const source = {
    kind: 'mqtt-connect',
    url: `mqtt://127.0.0.1:${broker.port}`,
    topics: ['counters/#'],
  };
  const gateway = await startGateway(folder, source, { sensors });
  const load = await openLoad({ ...plan, port: broker.port });
  const part = async (held: number) => {
    const { at, done } = load.send(messages);
    // Asked only then: what it holds costs the gateway as much to say as a hundred messages.
    await done;
    await gateway.holds(held);
    return (messages * 1000) / (clock.monotonic() - at);
  };
  const started = await part(messages);
  const cpuTime = cpuTimer(gateway.process);
  const running = await part(2 * messages);
  const cpu_us = cpuTime() / messages;
  await Promise.all([load.end(), end(gateway.process), end(broker.process)]);
  return { started, running, cpu_us };
}

async function listenMode(
  folder: string,
  how: { rate?: number; fsync_ms?: number; window?: number },
): Promise<Counted & { load: LoadResult }> {
  const port = await freePort();
  const source = { kind: 'mqtt-listen', host: '127.0.0.1', port };
  const gateway = await startGateway(folder, source, {
    sensors,
    ...(how.fsync_ms === undefined ? {} : { environment: slowDisk(folder, how.fsync_ms) }),
  });
  const [first, second] =
    how.rate === undefined ? [messages, messages] : [warm_up_s * how.rate, steady_s * how.rate];
  const load = await openLoad({ ...plan, port, messages: first + second, ...how });
  const started = first / (await load.send(first).done).seconds;
  const cpuTime = cpuTimer(gateway.process);
  const result = await load.send(second).done;
  const cpu_us = cpuTime() / second;
  await gateway.holds(first + second);
  await Promise.all([load.end(), end(gateway.process)]);
  return { started, running: second / result.seconds, cpu_us, load: result };
}

/** @returns what tells how much CPU time the process has taken since, µs. */
function cpuTimer({ pid }: ChildProcess): () => number {
  const before = cpuTime_us(Number(pid));
  return () => cpuTime_us(Number(pid)) - before;
}

async function startMosquitto(folder: string): Promise<{ port: number; process: ChildProcess }> {
  const port = await freePort();
  const path = join(folder, 'mosquitto.conf');
  // The publisher's windows stand for more than a thousand messages under way; none may be dropped.
  const settings = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_queued_messages 0'];
  writeFileSync(path, `${settings.join('\n')}\n`);
  const process = spawn(mosquitto, ['-c', path], { stdio: 'ignore' });
  await clock.sleep(500);
  return { port, process };
}

/** The environment of a gateway whose disk is slow. */
function slowDisk(folder: string, fsync_ms: number): NodeJS.ProcessEnv {
  const library = join(folder, 'slow-fsync.so');
  const source = fileURLToPath(new URL('../../bench/slow-fsync.c', import.meta.url));
  const made = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`slow-fsync.c did not compile: ${made.stderr}`);
  return { LD_PRELOAD: library, FOOTBRIDGE_FSYNC_MS: String(fsync_ms) };
}
