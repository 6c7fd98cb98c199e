/** HQ and one store as separate processes that can be killed, cut off and robbed of their power. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEmbeddedPostgres } from '../../cloud-sync/db/embedded-postgres.ts';
import { runOnce } from '../../cloud-sync/db/pool.ts';
import { askDaemon } from '../../gateway/local/local-client.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';
import { root } from '../rules/sources.ts';
import { mosquitto, mosquittoProgram } from '../support/debian-part.ts';
import { commandIn, end, entry, freePort, jsonOf, listening } from '../support/process.ts';
import { ForgetfulDisk } from './disk.ts';
import { HqLine } from './hq-line.ts';
import { WrongClock } from './wrong-clock.ts';

const clock = systemClock;
/** Polls of the pulse counter and intervals of everything are short, so that faults hit work. */
const settings = {
  log_level: 'error',
  report_interval_s: 1,
  heartbeat_interval_s: 1,
  send_interval_s: 0.1,
  retry_max_s: 1,
};

const profiles_dir = join(root, 'tests/torture/profiles');
const small_gateway = fileURLToPath(new URL('small-gateway.js', import.meta.url));

export interface BufferLimits {
  readonly quota_bytes: number;
  readonly rows_kept: number;
}

export interface HqHour {
  readonly sensor_id: string;
  readonly start_time: string;
  readonly total_in: number;
  readonly readings: number;
}

export class StoreUnderTorture {
  readonly disk: ForgetfulDisk;
  /** The gateway's. */
  readonly clock: WrongClock;
  readonly #buffer_limits: BufferLimits | undefined;
  readonly #hq_data: string;
  readonly #config: string;
  readonly #broker_config: string;
  readonly #line_random: () => number;
  #hq_port = 0;
  #hq: ChildProcess | undefined;
  #gateway: ChildProcess | undefined;
  #broker: ChildProcess | undefined;
  mqtt_port = 0;
  broker_port = 0;
  /** Between the gateway and HQ; undefined before `open`. */
  line: HqLine | undefined;

  /** @param buffer_limits in place of the settings', see small-gateway.ts. */
  constructor(folder: string, random: () => number, buffer_limits?: BufferLimits) {
    this.#buffer_limits = buffer_limits;
    this.disk = new ForgetfulDisk(folder, random);
    this.#hq_data = join(folder, 'hq');
    this.#config = join(folder, 'footbridge.yaml');
    this.#broker_config = join(folder, 'mosquitto.conf');
    // Its own: how often the line asks depends on timing, and must not shift what happens next.
    this.#line_random = seededRandom(Math.floor(random() * 2 ** 31));
    this.clock = new WrongClock(folder, random);
  }

  /** @param sensors ids of the MQTT sensors; the pulse counter listens on `modbus_port`. */
  async open(sensors: readonly string[], modbus_port: number): Promise<void> {
    this.mqtt_port = await freePort();
    this.#hq_port = await freePort();
    this.broker_port = await freePort();
    const broker = { kind: 'mqtt-connect', url: `mqtt://127.0.0.1:${this.broker_port}` };
    const sources = [
      { name: 'sensors', kind: 'mqtt-listen', host: '127.0.0.1', port: this.mqtt_port },
      { name: 'beams', kind: 'modbus-tcp', host: '127.0.0.1', port: modbus_port },
      ...(this.hasBroker ? [{ name: 'building', ...broker }] : []),
    ];
    writeFileSync(
      this.#config,
      JSON.stringify({ data_dir: this.disk.folder, profiles_dir, ...settings, sources }),
    );
    const persistence = `persistence true\npersistence_location ${dirname(this.#broker_config)}/\n`;
    const listener = `listener ${this.broker_port} 127.0.0.1\nallow_anonymous true\n`;
    writeFileSync(this.#broker_config, `${listener}${persistence}autosave_interval 1\n`);
    await this.startHq();
    this.line = new HqLine(this.#hq_port, this.#line_random);
    const line_port = await this.line.open();
    const of = ['--org', 'acme', '--store', 'lab'];
    await this.#onHq('org', 'add', '--slug', 'acme', '--name', 'Acme');
    await this.#onHq(
      'store',
      'add',
      '--org',
      'acme',
      '--code',
      'lab',
      '--name',
      'Lab',
      '--timezone',
      'UTC',
    );
    await this.#onHq(
      'user',
      'add',
      '--org',
      'acme',
      '--email',
      'a@acme.example',
      '--role',
      'tenant_admin',
    );
    const { token } = await this.#onHq<{ token: string }>('gateway', 'invite', ...of);
    await this.#inStore('enroll', '--hq', `http://127.0.0.1:${line_port}`, '--token', token);
    const mqtt = ['--profile', 'json-interval', '--topic'];
    for (const id of sensors) await this.#inStore('sensor', 'pair', id, ...mqtt, `counters/${id}`);
    const pulse = ['--source', 'beams', '--profile', 'turnstile-counter-16', '--unit', '1'];
    await this.#inStore('sensor', 'pair', 'pulse', ...pulse);
    if (this.hasBroker) {
      const total = [
        '--source',
        'building',
        '--profile',
        'json-total',
        '--topic',
        'counters/total',
      ];
      await this.#inStore('sensor', 'pair', 'total', ...total);
      await this.startBroker();
    }
    await this.startGateway();
  }

  async startHq(): Promise<void> {
    const where = ['--data-dir', this.#hq_data, '--listen', `127.0.0.1:${this.#hq_port}`];
    this.#hq = this.#spawn(entry['footbridge-hq'], ['serve', ...where], {});
    await listening(this.#hq_port, 60_000);
  }

  async killHq(): Promise<void> {
    if (this.#hq !== undefined) await end(this.#hq, 'SIGKILL');
  }

  /** The first line of postmaster.pid is the server's process (PostgreSQL, "Server Files"). */
  killDatabase(): void {
    const file = join(this.#hq_data, 'postgres', 'postmaster.pid');
    if (existsSync(file))
      process.kill(Number(readFileSync(file, 'utf8').split('\n')[0]), 'SIGKILL');
  }

  async startGateway(): Promise<void> {
    const { quota_bytes, rows_kept } = this.#buffer_limits ?? {};
    const [program, ...parameters] =
      quota_bytes === undefined
        ? [entry.footbridge, '--config', this.#config, 'run']
        : [small_gateway, this.#config, `${quota_bytes}`, `${rows_kept}`];
    this.#gateway = this.#spawn(program, parameters, this.#gatewayEnvironment());
    await listening(this.mqtt_port, 60_000);
  }

  async killGateway(): Promise<void> {
    if (this.#gateway !== undefined) await end(this.#gateway, 'SIGKILL');
  }

  /** Everything in the gateway stands still meanwhile, as a virtual machine does for its snapshot. */
  async whileFrozen(work: () => void | Promise<void>): Promise<void> {
    const process = this.#gateway;
    process?.kill('SIGSTOP');
    try {
      while (process !== undefined && !isStopped(process.pid)) await clock.sleep(1);
      await work();
    } finally {
      process?.kill('SIGCONT');
    }
  }

  /** Without Debian's mosquitto there is no broker to kill. */
  get hasBroker(): boolean {
    return mosquitto.isInstalled();
  }

  /** As Debian's package sets it up: what is queued is on disk now and then. */
  async startBroker(): Promise<void> {
    if (!this.hasBroker) return;
    this.#broker = spawn(mosquittoProgram, ['-c', this.#broker_config], { stdio: 'ignore' });
    await listening(this.broker_port, 60_000);
  }

  async killBroker(): Promise<void> {
    if (this.#broker !== undefined) await end(this.#broker, 'SIGKILL');
  }

  status(): Promise<GatewayStatus | null> {
    const socket = join(this.disk.folder, 'footbridge.sock');
    return askDaemon<GatewayStatus>(socket, 'GET', '/status').catch(() => null);
  }

  /** Whether a frame of the sensor is stored. */
  async hasHeard(sensor_id: string): Promise<boolean> {
    const heard = (await this.status())?.sensors.find((sensor) => sensor.sensor_id === sensor_id);
    return (heard?.last_seen_at ?? null) !== null;
  }

  /** Asks HQ's database itself, past row security. */
  async askHq<T extends Record<string, unknown>>(text: string): Promise<T[]> {
    const server = await openEmbeddedPostgres({ data_dir: this.#hq_data, clock });
    try {
      return await runOnce(server.ownerUrl(), (query) => query<T>(text));
    } finally {
      await server.stop();
    }
  }

  async hours(): Promise<HqHour[]> {
    const asked = ['report', 'hours', '--org', 'acme', '--store', 'lab', '--as', 'a@acme.example'];
    return (await this.#onHq<{ hours: HqHour[] }>(...asked)).hours;
  }

  async close(): Promise<void> {
    if (this.#gateway !== undefined) await end(this.#gateway);
    await this.line?.close();
    await this.killBroker();
    if (this.#hq !== undefined) await end(this.#hq);
    this.disk.close();
  }

  /** HQ that ended by itself, because its database was killed under it, is started again. */
  async reviveHq(): Promise<void> {
    if (this.#hq?.exitCode === null && this.#hq.signalCode === null) {
      await Promise.race([once(this.#hq, 'exit'), clock.sleep(5_000)]);
    }
    await this.killHq();
    await this.startHq();
  }

  #spawn(program: string, parameters: string[], environment: NodeJS.ProcessEnv): ChildProcess {
    const log = process.env['FOOTBRIDGE_TEST_LOG'] === undefined ? 'ignore' : 'inherit';
    return spawn(process.execPath, [program, ...parameters], {
      stdio: ['ignore', 'ignore', log],
      env: { ...process.env, FOOTBRIDGE_LOG_LEVEL: 'error', ...environment },
    });
  }

  /** The disk and the clock are both preloaded. */
  #gatewayEnvironment(): NodeJS.ProcessEnv {
    const [disk, clock] = [this.disk.environment, this.clock.environment];
    const preloaded = [clock['LD_PRELOAD'], disk['LD_PRELOAD']].filter((one) => one !== undefined);
    return { ...clock, ...disk, LD_PRELOAD: preloaded.join(':') };
  }

  #onHq<T>(...parameters: string[]): Promise<T> {
    return jsonOf<T>('footbridge-hq', ...parameters, '--data-dir', this.#hq_data);
  }

  async #inStore(...parameters: string[]): Promise<void> {
    // On the same disk: what a command writes must survive a power cut as well.
    const { environment } = this.disk;
    const done = await commandIn(
      environment,
      'footbridge',
      '--config',
      this.#config,
      ...parameters,
    );
    if (done.code !== 0) throw new Error(`footbridge ${parameters.join(' ')}: ${done.stderr}`);
  }
}

/** Every thread, as Linux says it (proc(5), "state"). */
function isStopped(pid: number | undefined): boolean {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return true;
  return readdirSync(tasks).every((task) =>
    /\) [TZX]/.test(readFileSync(join(tasks, task, 'stat'), 'utf8')),
  );
}
