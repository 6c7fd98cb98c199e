/**
 * What a gateway takes of a small machine: memory when idle and with a backlog, the time from its
 * start to the first acknowledgement, and what a reading costs the flash at 50 readings a second.
 *
 * Flash: what the kernel was given to write while readings came (/proc/PID/io, write_bytes: the
 * journal, page by page), and what the checkpoint writes again, which is by how much the file grew.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { openBuffer } from '../gateway/buffer/schema.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { freePort } from './free-port.ts';
import { end, inFolder, publish, startGateway } from './gateway-process.ts';
import type { Measured, MeasureOptions } from './main.ts';

const clock = systemClock;
const sensors = 50;
const rate = 50;
/** Long enough for the small commits that a gateway may make at once. */
const warm_up_s = 8;
const measured_s = 20;
/** V8 gives back what loading took when it has seen that nothing happens. */
const settle_ms = 15_000;
const limits = { idle_mb: 90, backlog_mb: 150, first_ack_s: 5, bytes: 300, eco_bytes: 150 };
const rows_default = 1_000_000;

export async function measure({ rows = rows_default }: MeasureOptions): Promise<Measured> {
  const idle = await inFolder((folder) => loaded(folder, 0));
  const backlog = await inFolder((folder) => loaded(folder, rows));
  const bytes = await inFolder((folder) => flash(folder, 'prompt'));
  const eco_bytes = await inFolder((folder) => flash(folder, 'eco'));
  const document = {
    idle_rss_mb: idle.rss_mb,
    idle_first_ack_s: idle.first_ack_s,
    backlog_rows: rows,
    backlog_rss_mb: backlog.rss_mb,
    first_ack_s: backlog.first_ack_s,
    bytes_per_reading: bytes,
    eco_bytes_per_reading: eco_bytes,
  };
  const row = (what: string, seen: string, limit: string) =>
    `${what.padEnd(46)} ${seen}, limit ${limit}`;
  return {
    document,
    lines: [
      row('resident, idle', `${idle.rss_mb} MB`, `${limits.idle_mb}`),
      row(`resident, ${rows} readings buffered`, `${backlog.rss_mb} MB`, `${limits.backlog_mb}`),
      row(
        'start to first acknowledgement with them',
        `${backlog.first_ack_s} s`,
        `${limits.first_ack_s}`,
      ),
      row(`written a reading at ${rate}/s`, `${bytes} bytes`, `${limits.bytes}`),
      row('written a reading in eco mode', `${eco_bytes} bytes`, `${limits.eco_bytes}`),
    ],
  };
}

async function loaded(
  folder: string,
  rows: number,
): Promise<{ rss_mb: number; first_ack_s: number }> {
  const port = await freePort();
  const source = { kind: 'mqtt-listen', host: '127.0.0.1', port };
  // Once, so that the file is there to be filled.
  await end((await startGateway(folder, source, { sensors })).process, 'SIGTERM');
  if (rows > 0) fill(join(folder, 'data', 'buffer.sqlite'), rows);
  const started_at = clock.monotonic();
  const starting = startGateway(folder, source, { sensors });
  const first_ack_s = round1((await firstAcknowledgement(port)) - started_at) / 1000;
  const gateway = await starting;
  await clock.sleep(settle_ms);
  const rss_mb = residentMb(gateway.process.pid);
  await end(gateway.process);
  return { rss_mb, first_ack_s };
}

/** @returns when it came, monotonic ms. */
async function firstAcknowledgement(port: number): Promise<number> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 20 });
  client.on('error', () => {});
  const from = new Date(Math.floor(clock.now() / 60_000) * 60_000 - 60_000).toISOString();
  const message = { id: clock.uuid(), from, to: from, in: 1, out: 0 };
  await client.publishAsync('counters/0', JSON.stringify(message), { qos: 1 });
  const at = clock.monotonic();
  await client.endAsync(true);
  return at;
}

/**
 * Unsent minute counts of 50 doors, as the gateway would have written them. Without a journal, which would
 * write each of 50 million rows twice: a crash here only ends the measurement.
 */
function fill(path: string, rows: number): void {
  const { connection } = openBuffer(path, { epoch: clock.uuid(), now: clock.now() });
  connection.pragma('journal_mode = OFF');
  connection.pragma('synchronous = OFF');
  const word = connection.prepare('INSERT OR IGNORE INTO words (word) VALUES (?)');
  for (let i = 0; i < sensors; i += 1) word.run(`door-${i}`);
  connection
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO readings (sequence, sensor, observed_at, interval_s, in_count, out_count,
         received_at, flags, dedupe_key)
       SELECT i, 1 + i % ${sensors}, 1600000000000 + i / ${sensors} * 60000, 60, i % 7, i % 5,
         1600000060000 + i / ${sensors} * 60000, 0, printf('%016d', i) FROM n`,
    )
    .run(rows);
  connection.close();
}

/** @returns bytes written for each reading. */
async function flash(folder: string, commit: 'prompt' | 'eco'): Promise<number> {
  const port = await freePort();
  const source = { kind: 'mqtt-listen', host: '127.0.0.1', port };
  const how = { sensors, settings: { buffer: { commit } } };
  // Once, so that making the file is no part of it.
  await end((await startGateway(folder, source, how)).process, 'SIGTERM');
  const gateway = await startGateway(folder, source, how);
  const file = join(folder, 'data', 'buffer.sqlite');
  const size_before = statSync(file).size;
  const messages = (warm_up_s + measured_s) * rate;
  // A commit of the eco mode takes five seconds, and the messages of all of them are under way.
  const load = await publish({ port, sensors, messages, window: 20, rate });
  await clock.sleep(warm_up_s * 1000);
  const before = written(gateway.process.pid);
  await load.done;
  const journal = (written(gateway.process.pid) - before) / (measured_s * rate);
  await end(gateway.process, 'SIGTERM');
  const checkpoint = (statSync(file).size - size_before) / messages;
  return Math.round(journal + checkpoint);
}

function residentMb(pid: number | undefined): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kb) * 1024) / 1e6);
}

function written(pid: number | undefined): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

function round1(ms: number): number {
  return Math.round(ms / 10) * 10;
}
