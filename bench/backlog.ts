/**
 * A store whose line was away for years: how soon after its start the gateway acknowledges with all that
 * in its buffer, with the file in the machine's memory and without (as after a reboot), what it holds of
 * the memory, and how long a sensor waits while the backlog leaves.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { freePort } from '../demo/free-port.ts';
import { openBuffer } from '../gateway/buffer/schema.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { AcceptingHq } from './accepting-hq.ts';
import { round2 } from './figures.ts';
import { end, inFolder, publish, startGateway } from './gateway-process.ts';
import type { Measured, MeasureOptions } from './main.ts';

const clock = systemClock;
const sensors = 50;
/** V8 gives back what loading took when it has seen that nothing happens. */
const settle_ms = 15_000;
const limits = { rss_mb: 150, first_ack_s: 5 };
const rows_default = 5_000_000;
const rows_a_step = 1_000_000;
/** Of these is seen how the rest will go. */
const drained_rows_max = 5_000_000;
/** Messages a second while the backlog leaves. */
const rate = 50;
const drain_s_max = 30;

/** What {@link withBacklog} finds. */
export interface Loaded {
  readonly rss_mb: number;
  /** Start of the process to the first acknowledgement. */
  readonly first_ack_s: number;
}

export async function measure({ rows = rows_default }: MeasureOptions): Promise<Measured> {
  return await inFolder(async (folder) => {
    const file = await storeWith(folder, rows);
    const warm = await start(folder);
    forget(file);
    const cold = await start(folder);
    const drained = await drain(folder, rows);
    const document = {
      backlog_rows: rows,
      backlog_mb: Math.round(statSync(file).size / 1e6),
      backlog_rss_mb: warm.rss_mb,
      first_ack_s: warm.first_ack_s,
      cold_first_ack_s: cold.first_ack_s,
      ...drained,
    };
    const { first_ack_s, rss_mb } = limits;
    return {
      document,
      lines: [
        `${rows} readings buffered, ${document.backlog_mb} MB`,
        `start to first acknowledgement                ${warm.first_ack_s} s, limit ${first_ack_s}`,
        `the same, nothing of the file in memory       ${cold.first_ack_s} s, limit ${first_ack_s}`,
        `resident                                      ${warm.rss_mb} MB, limit ${rss_mb}`,
        `${drained.drained_rows} readings left, ${drained.drained_rows_per_s}/s; twice ${drained.twice}, never ${drained.never}`,
        `meanwhile a message waited at most            ${drained.ack_max_ms} ms, 99 % of ${rate}/s ${drained.ack_p99_ms} ms`,
      ],
    };
  });
}

/** The figures of a gateway with so many readings in its buffer. */
export async function withBacklog(rows: number): Promise<Loaded> {
  return await inFolder(async (folder) => {
    await storeWith(folder, rows);
    return await start(folder);
  });
}

/** @returns the buffer of a gateway that was started once. */
async function storeWith(folder: string, rows: number): Promise<string> {
  const { process } = await startGateway(folder, await source(), { sensors });
  await end(process, 'SIGTERM');
  const file = join(folder, 'data', 'buffer.sqlite');
  if (rows > 0) fill(file, rows);
  return file;
}

async function source() {
  return { kind: 'mqtt-listen', host: '127.0.0.1', port: await freePort() };
}

async function start(folder: string): Promise<Loaded> {
  const listener = await source();
  const started_at = clock.monotonic();
  const starting = startGateway(folder, listener, { sensors });
  const first_ack_s = round2(((await firstAcknowledgement(listener.port)) - started_at) / 1000);
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

/** Readings leave as fast as an HQ takes them that only looks at each, and a sensor goes on counting. */
async function drain(folder: string, rows: number) {
  const hq = await AcceptingHq.open(rows);
  writeFileSync(join(folder, 'data', 'credential.json'), JSON.stringify(hq.credential));
  const listener = await source();
  const gateway = await startGateway(folder, listener, { sensors });
  const wanted = Math.min(rows, drained_rows_max);
  await hq.until(1);
  const begun_at = clock.monotonic();
  const load = await publish({
    ...{ port: listener.port, sensors: 1, messages: drain_s_max * rate, window: 20, rate },
  });
  await Promise.race([hq.until(wanted), load.done]);
  const seconds = (clock.monotonic() - begun_at) / 1000;
  const { taken } = hq;
  const { p99_ms, max_ms } = await load.done;
  await end(gateway.process);
  const { twice, never } = hq;
  await hq.close();
  return {
    drained_rows: taken,
    drained_rows_per_s: Math.round(taken / seconds),
    twice,
    never: taken < rows ? null : never,
    ack_p99_ms: Math.round(p99_ms),
    ack_max_ms: Math.round(max_ms),
  };
}

/**
 * Unsent minute counts of 50 doors, as the gateway would have written them. The journal is in memory: a
 * file would take each of 50 million rows once more, and a crash here only ends the measurement.
 */
function fill(path: string, rows: number): void {
  const { connection } = openBuffer(path, { epoch: clock.uuid(), now: clock.now() });
  connection.pragma('journal_mode = MEMORY');
  connection.pragma('synchronous = OFF');
  const word = connection.prepare('INSERT OR IGNORE INTO words (word) VALUES (?)');
  for (let i = 0; i < sensors; i += 1) word.run(`door-${i}`);
  const insert = connection.prepare(
    `WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO readings (sequence, sensor, observed_at, interval_s, in_count, out_count,
       received, flags, message_key)
     SELECT i, 1 + i % ${sensors}, 1600000000000 + i / ${sensors} * 60000, 60, i % 7, i % 5,
       60123, 0, CAST(printf('%012d', i) AS BLOB) FROM n`,
  );
  for (let first = 1; first <= rows; first += rows_a_step) {
    const last = Math.min(rows, first + rows_a_step - 1);
    insert.run(first, last);
    if (rows > rows_default) process.stderr.write(`\r${last} of ${rows} readings written`);
  }
  connection.close();
  if (rows > rows_default) process.stderr.write('\n');
}

/** Takes a file out of the machine's memory: dd says to the kernel that nobody needs it. */
function forget(file: string): void {
  spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

function residentMb(pid: number | undefined): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kb) * 1024) / 1e6);
}
