/** A gateway's daemon, a process of its own, enrolled at a real HQ and fed by a sensor over MQTT. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { askDaemon } from '../../gateway/local/local-client.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import type { Credential } from '../../gateway/sync/credential.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { enrollTestGateway, type Hq, noon, type TestStore } from './hq.ts';
import { end, entry, freePort } from './process.ts';
import type { Workspace } from './workspace.ts';

const minute_ms = 60_000;
/** Heartbeats and batches follow each other fast, so that a test waits for little. */
const settings = {
  log_level: 'error',
  heartbeat_interval_s: 1,
  send_interval_s: 0.1,
  retry_max_s: 1,
  page: { enabled: false },
};
const look_ms = 50;
const looks_max = 600;

export class DaemonAtHq {
  readonly folder: string;
  readonly data: string;
  readonly gateway_id: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, gateway_id: string) {
    this.folder = folder;
    this.data = join(folder, 'data');
    this.#port = port;
    this.gateway_id = gateway_id;
  }

  /**
   * Enrolled, with a line `door` and the sensors given; not running yet.
   *
   * @param way.hq_url where it is not HQ's own address.
   */
  static async at(
    hq: Hq,
    store: TestStore,
    workspace: Workspace,
    way: { hq_url?: string; sensors?: readonly object[] } = {},
  ): Promise<DaemonAtHq> {
    const {
      authorization,
      epoch: _epoch,
      send: _send,
      ...answer
    } = await enrollTestGateway(hq, store);
    const port = await freePort();
    const daemon = new DaemonAtHq(workspace.folder(), port, answer.gateway_id);
    workspace.onEnd(() => daemon.kill());
    mkdirSync(daemon.data);
    const door = { sensor_id: 'door', name: 'Door', profile: 'json-interval', topic: 'door' };
    const sensors = [door, ...(way.sensors ?? [])].map((one) => ({ source: 'sensors', ...one }));
    const secret = authorization.slice(-43);
    const credential: Credential = { ...answer, secret, hq_url: way.hq_url ?? hq.url };
    const write = (path: string, document: object) =>
      writeFileSync(path, JSON.stringify(document), { mode: 0o600 });
    daemon.configure({});
    write(join(daemon.data, 'sensors.json'), { sensors });
    write(daemon.credentialPath, credential);
    return daemon;
  }

  /** Its disk, copied into another machine on the same network. */
  async copy(workspace: Workspace): Promise<DaemonAtHq> {
    const port = await freePort();
    const twin = new DaemonAtHq(workspace.folder(), port, this.gateway_id);
    workspace.onEnd(() => twin.kill());
    cpSync(this.data, twin.data, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    twin.configure({});
    return twin;
  }

  /** Writes the configuration, with these settings of `hq`, sources beside its own, and `over` all. */
  configure(hq: object, sources: readonly object[] = [], over: object = {}): void {
    const source = { name: 'sensors', kind: 'mqtt-listen', host: '127.0.0.1', port: this.#port };
    const config = { data_dir: this.data, ...settings, ...over, hq, sources: [source, ...sources] };
    writeFileSync(join(this.folder, 'footbridge.yaml'), JSON.stringify(config));
  }

  get credentialPath(): string {
    return join(this.data, 'credential.json');
  }

  get credential(): Credential {
    return JSON.parse(readFileSync(this.credentialPath, 'utf8')) as Credential;
  }

  /** Resolves when it answers. */
  async start(environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const log = process.env['FOOTBRIDGE_TEST_LOG'] === undefined ? 'ignore' : 'inherit';
    const parameters = ['--config', join(this.folder, 'footbridge.yaml'), 'run'];
    this.#process = spawn(process.execPath, [entry.footbridge, ...parameters], {
      stdio: ['ignore', 'ignore', log],
      env: { ...process.env, ...environment },
    });
    await this.until('it answers', () => true);
  }

  /** `footbridge enroll` beside the running daemon. */
  async enroll(...parameters: string[]): Promise<void> {
    const config = ['--config', join(this.folder, 'footbridge.yaml')];
    await promisify(execFile)(process.execPath, [
      entry.footbridge,
      ...config,
      'enroll',
      ...parameters,
    ]);
  }

  async kill(): Promise<void> {
    if (this.#process !== undefined) await end(this.#process, 'SIGKILL');
  }

  /** Waits for a status of which `holds` is true, and gives it. */
  async until(what: string, holds: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    let seen: GatewayStatus | null = null;
    for (let looks = 0; looks < looks_max; looks += 1) {
      seen = await this.#status();
      if (seen !== null && holds(seen)) return seen;
      await systemClock.sleep(look_ms);
    }
    throw new Error(`not seen: ${what}; last ${JSON.stringify(seen)}`);
  }

  /** Minutes `first` to `last` after {@link noon}, one person in each; resolves when acknowledged. */
  async count(first: number, last = first, topics: readonly string[] = ['door']): Promise<void> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${this.#port}`);
    const time = (minute: number) => new Date(noon + minute * minute_ms).toISOString();
    const sent: Promise<unknown>[] = [];
    for (let minute = first; minute <= last; minute += 1) {
      const message = { id: minute, from: time(minute), to: time(minute + 1), in: 1, out: 0 };
      const text = JSON.stringify(message);
      for (const topic of topics) sent.push(client.publishAsync(topic, text, { qos: 1 }));
    }
    await Promise.all(sent);
    await client.endAsync(true);
  }

  /** One message of any kind; resolves when it is acknowledged. */
  async publish(topic: string, message: string): Promise<void> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${this.#port}`);
    await client.publishAsync(topic, message, { qos: 1 });
    await client.endAsync(true);
  }

  #status(): Promise<GatewayStatus | null> {
    const socket = join(this.data, 'footbridge.sock');
    return askDaemon<GatewayStatus>(socket, 'GET', '/status').catch(() => null);
  }
}
