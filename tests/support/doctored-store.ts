/** A store in which something is broken for real, and the doctor as a person runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { expect } from 'vitest';
import { dataFiles, readConfig } from '../../gateway/config/config.ts';
import { examine, type Place } from '../../gateway/doctor/examine.ts';
import { askDaemon } from '../../gateway/local/local-client.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import type { FindingCode } from '../../shared/findings/catalogue.ts';
import { findingCatalogue } from '../../shared/findings/catalogue.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { root } from '../rules/sources.ts';
import { answering_hq_url } from './answering-hq.ts';
import { end, entry, freePort } from './process.ts';
import type { Workspace } from './workspace.ts';

/** A program in front of the command, and what its environment has besides ours. */
export interface Around {
  readonly before?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Where its files are seen from here, when they are not where it sees them. */
  readonly root?: string;
  /** The command itself, where it is not the one of this build. */
  readonly entry?: string;
}

/** Root reads everything; without this capability it is a user like others. */
export const asOrdinaryUser: Around = {
  before:
    process.getuid?.() === 0
      ? ['setpriv', '--inh-caps=-all', '--bounding-set=-dac_override,-dac_read_search']
      : [],
};

/** Doctors are asked until they see it: devices, brokers and retries have their own pace. */
const seen_within_ms = 40_000;

const built_in_profiles = join(root, 'gateway/profiles/built-in');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

export class DoctoredStore {
  readonly folder: string;
  readonly data: string;
  readonly profiles: string;
  readonly #workspace: Workspace;
  /** The configuration's file. */
  readonly config: string;
  #port = 0;

  constructor(workspace: Workspace, options: { data?: string } = {}) {
    this.#workspace = workspace;
    this.folder = workspace.folder();
    this.data = options.data ?? join(this.folder, 'data');
    this.profiles = join(this.folder, 'profiles');
    this.config = join(this.folder, 'footbridge.yaml');
    mkdirSync(this.profiles);
    mkdirSync(this.data, { recursive: true });
  }

  /** JSON is YAML as well. */
  configure(settings: object): this {
    const page = { enabled: false };
    const own = { data_dir: this.data, profiles_dir: this.profiles, send_interval_s: 0.2, page };
    writeFileSync(this.config, JSON.stringify({ ...own, ...settings }));
    return this;
  }

  /** The default: the gateway is the broker. @param more settings beside the source. */
  async listening(settings: object = {}, more: object = {}): Promise<this> {
    this.#port = await freePort();
    const source = { name: 'sensors', kind: 'mqtt-listen', host: '127.0.0.1', port: this.#port };
    return this.configure({ sources: [{ ...source, ...settings }], ...more });
  }

  get port(): number {
    return this.#port;
  }

  writeConfig(text: string): this {
    writeFileSync(this.config, text);
    return this;
  }

  profile(name: string, text: string): this {
    writeFileSync(join(this.profiles, `${name}.yaml`), `name: ${name}\ntitle: ${name}\n${text}`);
    return this;
  }

  sensors(...sensors: object[]): this {
    const rows = sensors.map((sensor, i) => {
      return { sensor_id: `door-${i + 1}`, name: 'Door', source: 'sensors', ...sensor };
    });
    writeFileSync(join(this.data, 'sensors.json'), JSON.stringify({ sensors: rows }));
    return this;
  }

  /** A credential as `enroll` leaves it. */
  enrolled(hq_url = answering_hq_url, timezone = 'UTC'): this {
    const credential = {
      ...{ hq_url, organization: 'acme', store: 'mad-1', timezone, secret: 'x'.repeat(43) },
      gateway_id: '0197a000-0000-7000-8000-000000000001',
      credential_id: '0197a000-0000-7000-8000-000000000002',
    };
    writeFileSync(join(this.data, 'credential.json'), JSON.stringify(credential), { mode: 0o600 });
    return this;
  }

  /** Runs the daemon until its socket is there, or it has ended. */
  async run(around: Around = {}): Promise<ChildProcess> {
    const gateway = this.#spawn(around, 'run');
    this.#workspace.onEnd(() => end(gateway, 'SIGKILL'));
    const socket = join(around.root ?? '', this.data, 'footbridge.sock');
    while (!existsSync(socket) && gateway.exitCode === null && gateway.signalCode === null) {
      await systemClock.sleep(10);
    }
    return gateway;
  }

  async publish(topic: string, ...messages: object[]): Promise<void> {
    const client = await this.client();
    for (const message of messages) {
      await client.publishAsync(topic, JSON.stringify(message), { qos: 1 });
    }
  }

  /** One message from somebody with a login that nobody gave out. @throws what the broker answers */
  async tryPublish(topic: string, username: string): Promise<void> {
    const options = { username, password: 'guessed', reconnectPeriod: 0 };
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${this.#port}`, options, false);
    this.#workspace.onEnd(() => client.endAsync(true));
    await client.publishAsync(topic, '{}', { qos: 1 });
  }

  async client(): Promise<MqttClient> {
    for (;;) {
      try {
        const options = { reconnectPeriod: 100, connectTimeout: 1_000 };
        const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${this.#port}`, options, false);
        this.#workspace.onEnd(() => client.endAsync(true));
        return client;
      } catch {
        await systemClock.sleep(20);
      }
    }
  }

  status(): Promise<GatewayStatus> {
    return askDaemon(join(this.data, 'footbridge.sock'), 'GET', '/status');
  }

  /** What the doctor prints. */
  async doctor(around: Around = {}): Promise<{ code: number | null; lines: string[] }> {
    const child = this.#spawn(around, 'doctor');
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, lines: text.split('\n') };
  }

  /** The doctor's first line names this cause, and the second says what to do. */
  async expectFirst(code: FindingCode, seen: RegExp, around: Around = {}): Promise<void> {
    await this.#untilSeen(code, around);
    const told = await this.doctor(around);
    const { result, cause } = findingCatalogue[code] as { result?: string; cause: string };
    const [first] = told.lines;
    const advice = told.lines.find((line) => line.includes('Try: '));
    expect(told.lines.join('\n')).toContain(`[${code}]`);
    expect(first).toMatch(new RegExp(`^${(result ?? 'fault').toUpperCase()}.*\\[${code}\\]$`));
    expect(first).toContain(cause);
    expect(first).toMatch(seen);
    expect(advice).toMatch(/Try: .{20}/);
    expect(told.code).toBe(told.lines.some((line) => line.startsWith('FAULT')) ? 1 : 0);
  }

  /** A process for each look costs a second, so it looks from here where nothing is special. */
  async #untilSeen(code: FindingCode, around: Around): Promise<void> {
    const surroundings = { installed_version: version, proxy: null, clock: systemClock };
    const deadline = systemClock.monotonic() + seen_within_ms;
    const isSeen = async () => {
      if (around.before === undefined && around.environment === undefined) {
        return (await examine(() => this.#place(), surroundings))[0]?.code === code;
      }
      return (await this.doctor(around)).lines[0]?.endsWith(`[${code}]`) === true;
    };
    while (!(await isSeen()) && systemClock.monotonic() < deadline) await systemClock.sleep(50);
  }

  #place(): Place {
    const config = readConfig(this.config, {});
    const catalogue = () => loadCatalogue([built_in_profiles, config.profiles_dir]);
    return { config, files: dataFiles(config), catalogue };
  }

  #spawn(around: Around, command: string): ChildProcess {
    const file = around.entry ?? entry.footbridge;
    const words = [...(around.before ?? []), process.execPath, file, '--config', this.config];
    const [program = '', ...parameters] = [...words, command];
    const log = process.env['FOOTBRIDGE_TEST_LOG'] === undefined ? 'ignore' : 'inherit';
    return spawn(program, parameters, {
      stdio: ['ignore', command === 'doctor' ? 'pipe' : 'ignore', log],
      env: { ...process.env, ...around.environment },
    });
  }
}
