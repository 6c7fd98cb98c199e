/**
 * What a gateway takes of a small machine: memory when idle and with a backlog, the time from its
 * start to the first acknowledgement, and what a reading costs the flash at 50 readings a second.
 *
 * Flash: what the kernel was given to write while readings came (/proc/PID/io, write_bytes: the
 * journal, page by page), from one commit to another a minute later, for each reading that these held;
 * and what the checkpoint writes again, which is by how much the file grew.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../demo/free-port.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { withBacklog } from './backlog.ts';
import { end, inFolder, publish, startGateway } from './gateway-process.ts';
import type { Measured, MeasureOptions } from './main.ts';

const clock = systemClock;
const sensors = 50;
const rate = 50;
/** Long enough for the small commits that a gateway may make at once. */
const warm_up_s = 8;
/** At least; it begins and ends with a commit, so that it holds only whole ones. */
const measured_s = 60;
/** The longest that a commit of the eco mode waits, and some more. */
const commit_s = 8;
const limits = { idle_mb: 90, backlog_mb: 150, first_ack_s: 5, bytes: 300, eco_bytes: 150 };
const rows_default = 1_000_000;

export async function measure({ rows = rows_default }: MeasureOptions): Promise<Measured> {
  const idle = await withBacklog(0);
  const backlog = await withBacklog(rows);
  const [bytes, eco_bytes] = await Promise.all([
    inFolder((folder) => flash(folder, 'prompt')),
    inFolder((folder) => flash(folder, 'eco')),
  ]);
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
  const messages = (warm_up_s + measured_s + 2 * commit_s) * rate;
  // A commit of the eco mode takes five seconds, and the messages of all of them are under way.
  const load = await publish({ port, sensors, messages, window: 20, rate, live: true });
  await clock.sleep(warm_up_s * 1000);
  const from = await afterCommit(gateway);
  await clock.sleep(measured_s * 1000);
  const to = await afterCommit(gateway);
  const journal = (to.written - from.written) / (to.readings - from.readings);
  await load.done;
  await end(gateway.process, 'SIGTERM');
  const checkpoint = (statSync(file).size - size_before) / messages;
  return Math.round(journal + checkpoint);
}

/** Waits for the next commit. @returns what is on disk then, and the bytes that it took so far. */
async function afterCommit({ process, buffered }: Awaited<ReturnType<typeof startGateway>>) {
  const before = await buffered();
  for (;;) {
    const readings = await buffered();
    if (readings > before) return { readings, written: written(process.pid) };
    await clock.sleep(20);
  }
}

function written(pid: number | undefined): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}
