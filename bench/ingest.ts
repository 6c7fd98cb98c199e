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
import { end, heard, inFolder, publish, startGateway } from './gateway-process.ts';
import type { LoadResult } from './load-publisher.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const sensors = 50;
const messages = 100_000;
const rounds = 5;
const dist = fileURLToPath(new URL('../', import.meta.url));
const mosquitto = '/usr/sbin/mosquitto';
/** How many messages each of 50 sensors has under way; 1,000 in all, as the receive maximum. */
const window = 20;
/** Of the steady load: V8 has compiled by then what every message runs through. */
const warm_up_s = 3;
const steady_s = 8;
const steady_rate = 10_000;

export async function measure(): Promise<Measured> {
  if (!existsSync(mosquitto)) {
    throw new FootbridgeError('usage', `${mosquitto} is missing; install Debian's mosquitto`);
  }
  const limits: number[] = [];
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
  const limit = median(limits);
  const rate = (all: readonly Counted[]) => median(all.map((one) => one.rate));
  const cpu_us = (all: readonly Counted[]) => Math.round(median(all.map((one) => one.cpu_us)));
  const document = {
    limit_per_s: Math.round(limit),
    connect_per_s: Math.round(rate(connects)),
    connect_ratio: round2(rate(connects) / limit),
    connect_cpu_us: cpu_us(connects),
    listen_per_s: Math.round(rate(listens)),
    listen_ratio: round2(rate(listens) / limit),
    listen_cpu_us: cpu_us(listens),
    p50_ms_at_10000: round2(steady.load.p50_ms),
    p99_ms_at_10000: round2(steady.load.p99_ms),
    max_ms_at_10000: round2(steady.load.max_ms),
    bare_fsync_p50_ms: round2(disk.p50_ms),
    bare_fsync_p99_ms: round2(disk.p99_ms),
    slow_fsync_per_s: Math.round(slow.rate),
  };
  return {
    document,
    lines: [
      `${messages} messages of ${sensors} sensors, QoS 1, medians of ${rounds} rounds`,
      `limit: a subscriber that only counts   ${document.limit_per_s}/s`,
      `connect, PUBACK after fsync            ${document.connect_per_s}/s, ${document.connect_ratio} of the limit (at least 0.8), ${document.connect_cpu_us} µs CPU each`,
      `listen, PUBACK after fsync             ${document.listen_per_s}/s, ${document.listen_ratio} of the limit (at least 1.2), ${document.listen_cpu_us} µs CPU each`,
      `listen at 10,000/s, publish to durable p50 ${document.p50_ms_at_10000} ms, p99 ${document.p99_ms_at_10000} ms (limit 15), after ${warm_up_s} s`,
      `limit: a bare fsync of as much         p50 ${document.bare_fsync_p50_ms} ms, p99 ${document.bare_fsync_p99_ms} ms`,
      `listen with 20 ms added to each fsync  ${document.slow_fsync_per_s}/s (at least 10000)`,
    ],
  };
}

interface Counted {
  /** Messages a second. */
  readonly rate: number;
  /** CPU time of the gateway for each, start included, µs: what a busy machine does not distort. */
  readonly cpu_us: number;
}

/** @returns messages a second. */
async function countingSubscriber(folder: string): Promise<number> {
  const broker = await startMosquitto(folder);
  const subscriber = fork(`${dist}bench/counting-subscriber.js`, [
    String(broker.port),
    String(messages),
  ]);
  await heard(subscriber, 'ready');
  const counted = heard(subscriber, 'done');
  const start = await publish({ port: broker.port, sensors, messages, window, rate: null });
  await counted;
  const seconds = (clock.monotonic() - start.at) / 1000;
  await Promise.all([end(subscriber), end(broker.process)]);
  await start.done;
  return messages / seconds;
}

async function connectMode(folder: string): Promise<Counted> {
  const broker = await startMosquitto(folder);
  const source = {
    kind: 'mqtt-connect',
    url: `mqtt://127.0.0.1:${broker.port}`,
    topics: ['counters/#'],
  };
  const gateway = await startGateway(folder, source, { sensors });
  const start = await publish({ port: broker.port, sensors, messages, window, rate: null });
  // Asked only now: what it holds costs the gateway as much to say as a hundred messages.
  await start.done;
  await gateway.holds(messages);
  const seconds = (clock.monotonic() - start.at) / 1000;
  const cpu_us = cpuTime_us(Number(gateway.process.pid)) / messages;
  await Promise.all([end(gateway.process), end(broker.process)]);
  return { rate: messages / seconds, cpu_us };
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
  const count = how.rate === undefined ? messages : steady_s * how.rate;
  const load = {
    port,
    sensors,
    messages: count,
    window: how.window ?? window,
    rate: how.rate ?? null,
    ...(how.rate === undefined ? {} : { warm_up: warm_up_s * how.rate }),
  };
  const start = await publish(load);
  const result = await start.done;
  await gateway.holds(count);
  const cpu_us = cpuTime_us(Number(gateway.process.pid)) / count;
  await end(gateway.process);
  return { rate: count / result.seconds, cpu_us, load: result };
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
