/**
 * A store's backlog of a million readings: from the gateway's buffer over HTTP into HQ's partitioned
 * and indexed table, under row security, exactly once, rollups running beside. The limit is COPY of
 * the same rows into the same table, as superuser, from a file on the server. Meanwhile a sensor
 * goes on counting: how long until HQ has what it says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../demo/free-port.ts';
import { GroupDraft } from '../gateway/buffer/group.ts';
import { ReadingLog } from '../gateway/buffer/reading-log.ts';
import { openBuffer } from '../gateway/buffer/schema.ts';
import { newMeterState } from '../gateway/meters/meter.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { cpuTime_us } from './cpu-time.ts';
import { percentile, round2 } from './figures.ts';
import { type Headquarters, openHeadquarters } from './headquarters.ts';
import { sendLive, watchLive } from './live-readings.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const backlog_rows = 1_000_000;
const sensors = 20;
const minute_ms = 60_000;
const dist = fileURLToPath(new URL('../', import.meta.url));

export async function measure(): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-bench-'));
  const hq = await openHeadquarters();
  try {
    const { store_id, credential } = await hq.addGateway('late');
    const truth = await fillBuffer(folder, JSON.stringify(credential));
    const copies = [await copyRate(hq, folder, 'copy-1')];
    const drained = await drain(hq, store_id, folder);
    copies.push(await copyRate(hq, folder, 'copy-2'));
    const found = await stored(hq, store_id);
    const mean = (of: 'rows_per_s' | 'cpu_us') =>
      copies.reduce((sum, one) => sum + one[of], 0) / copies.length;
    const copy = mean('rows_per_s');
    const { cpu_us } = drained;
    const document = {
      rows: backlog_rows,
      copy_rows_per_s: Math.round(copy),
      rows_per_s: Math.round(drained.rows_per_s),
      ratio_to_copy: round2(drained.rows_per_s / copy),
      copy_cpu_us: round2(mean('cpu_us')),
      cpu_us,
      live_p95_s: round2(percentile(drained.live_s, 0.95)),
      live_readings: drained.live_s.length,
      lost: truth.rows - found.rows,
      people_missing: truth.people - found.people,
    };
    return {
      document,
      lines: [
        `limit: COPY of the same rows, superuser      ${document.copy_rows_per_s} rows/s`,
        `${backlog_rows} buffered readings, through HTTP and RLS ${document.rows_per_s} rows/s, ${document.ratio_to_copy} of COPY (at least 0.6)`,
        `CPU a reading: COPY ${document.copy_cpu_us} µs; gateway ${cpu_us.gateway}, HQ ${cpu_us.service}, database ${cpu_us.database} µs`,
        `${document.live_readings} live readings meanwhile, delay p95   ${document.live_p95_s} s (limit 10)`,
        `readings lost ${document.lost}, people missing ${document.people_missing} (limit 0)`,
      ],
    };
  } finally {
    await hq.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Row {
  readonly sensor_id: string;
  readonly observed_at: number;
  readonly in: number;
  readonly out: number;
}

/** Every sensor once a minute, until the hour that runs. */
function row(i: number): Row {
  const minutes = backlog_rows / sensors;
  const until = Math.floor(started_at / 3_600_000) * 3_600_000;
  const minute = Math.floor(i / sensors);
  return {
    sensor_id: `door-${i % sensors}`,
    observed_at: until - (minutes - minute) * minute_ms,
    in: (minute + i) % 7,
    out: (minute + 3 * i) % 6,
  };
}
const started_at = clock.now();

/** A data directory as the gateway leaves it after five weeks without a line. */
async function fillBuffer(
  folder: string,
  credential: string,
): Promise<{ rows: number; people: number }> {
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'credential.json'), credential);
  const path = join(folder, 'data', 'buffer.sqlite');
  const { connection } = openBuffer(path, { epoch: clock.uuid(), now: clock.now() });
  const log = new ReadingLog(connection, null);
  let people = 0;
  for (let first = 0; first < backlog_rows; first += 10_000) {
    const group = new GroupDraft();
    for (let i = first; i < first + 10_000; i += 1) {
      const one = row(i);
      people += one.in + one.out;
      const received_at = one.observed_at + minute_ms + 1_000;
      const reading = { kind: 'count' as const, interval_s: 60, flags: 0, received_at, ...one };
      const meter = { sensor_id: one.sensor_id, state: newMeterState };
      group.add({ readings: [reading], dedupe_key: null, meter, quarantined: [] });
    }
    log.commit(group.finish());
  }
  log.close();
  return { rows: backlog_rows, people };
}

/** One COPY into a store of its own. */
async function copyRate(
  hq: Headquarters,
  folder: string,
  code: string,
): Promise<{ rows_per_s: number; cpu_us: number }> {
  const { store_id, credential } = await hq.addGateway(code);
  const file = join(folder, code);
  const lines: string[] = [];
  for (let i = 0; i < backlog_rows; i += 1) {
    const { sensor_id, observed_at, ...one } = row(i);
    const at = new Date(observed_at).toISOString();
    const tenant = [hq.organization_id, store_id, at, sensor_id, one.in, one.out, 60, 0];
    lines.push([...tenant, credential.gateway_id, i + 1, at].join('\t'));
  }
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o644 });
  // The embedded server runs as another user where the bench runs as root.
  chmodSync(folder, 0o755);
  await hq.asOwner('checkpoint');
  const cpu = hq.cpuTime().database_us;
  const start = clock.monotonic();
  await hq.asOwner(
    `copy public.people_counting_raw (organization_id, store_id, "timestamp", sensor_id, in_count,
       out_count, interval_s, flags, gateway_id, gateway_sequence, received_at) from '${file}'`,
  );
  const seconds = (clock.monotonic() - start) / 1000;
  const cpu_us = (hq.cpuTime().database_us - cpu) / backlog_rows;
  rmSync(file);
  return { rows_per_s: backlog_rows / seconds, cpu_us };
}

/** CPU time by who spends it, µs. */
interface Cpu {
  readonly gateway: number;
  readonly service: number;
  readonly database: number;
}

function cpuOf(hq: Headquarters, gateway: ChildProcess): Cpu {
  const { service_us, database_us } = hq.cpuTime();
  return { gateway: cpuTime_us(Number(gateway.pid)), service: service_us, database: database_us };
}

async function drain(
  hq: Headquarters,
  store_id: string,
  folder: string,
): Promise<{ rows_per_s: number; live_s: number[]; cpu_us: Cpu }> {
  await hq.asOwner('checkpoint');
  const port = await freePort();
  const gateway = startGateway(folder, port);
  try {
    const socket = join(folder, 'data', 'footbridge.sock');
    let waiting = await buffered(socket);
    while (waiting === null || waiting >= backlog_rows) {
      await clock.sleep(10);
      waiting = await buffered(socket);
    }
    const begun = { at: clock.monotonic(), waiting };
    const cpu = cpuOf(hq, gateway);
    const stop = new AbortController();
    const live = sendLive(port, stop.signal);
    const seen = watchLive(hq, store_id, { since: started_at, stopped: stop.signal });
    // A few live readings are always on their way.
    while ((waiting ?? 0) > 200) {
      await clock.sleep(100);
      waiting = await buffered(socket);
    }
    const seconds = (clock.monotonic() - begun.at) / 1000;
    const used = cpuOf(hq, gateway);
    stop.abort();
    const sent = await live;
    const arrived = await seen(sent);
    const each = (part: keyof Cpu) => round2((used[part] - cpu[part]) / begun.waiting);
    const cpu_us = {
      gateway: each('gateway'),
      service: each('service'),
      database: each('database'),
    };
    return { rows_per_s: begun.waiting / seconds, live_s: arrived, cpu_us };
  } finally {
    const ended = once(gateway, 'exit');
    gateway.kill();
    await ended;
  }
}

function startGateway(folder: string, port: number): ChildProcess {
  const data_dir = join(folder, 'data');
  const sensor = { sensor_id: 'live', name: 'live', source: 'push', profile: 'json-interval' };
  const config = {
    data_dir,
    log_level: 'warn',
    sources: [{ name: 'push', kind: 'http-listen', host: '127.0.0.1', port }],
  };
  const sensors_file = { sensors: [{ ...sensor, path: '/live' }] };
  writeFileSync(join(data_dir, 'sensors.json'), JSON.stringify(sensors_file));
  writeFileSync(join(folder, 'footbridge.yaml'), JSON.stringify(config));
  const parameters = ['--config', join(folder, 'footbridge.yaml'), 'run'];
  return spawn(process.execPath, [`${dist}gateway/cli/footbridge.js`, ...parameters], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function stored(hq: Headquarters, store_id: string) {
  const [found] = await hq.asOwner<{ rows: number; people: number }>(
    `select count(*) as rows, sum(in_count + out_count) as people from public.people_counting_raw
     where organization_id = $1 and store_id = $2 and sensor_id <> 'live'`,
    [hq.organization_id, store_id],
  );
  return { rows: Number(found?.rows), people: Number(found?.people) };
}

function buffered(socketPath: string): Promise<number | null> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/status' }, (answer) => {
      let body = '';
      answer.on('data', (chunk) => {
        body += chunk;
      });
      answer.on('end', () => resolve(JSON.parse(body).buffer.buffered as number));
    });
    asked.on('error', () => resolve(null));
    asked.end();
  });
}
