/** One store of the demo: simulated people and sensors, and a gateway that can be killed. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Clock } from '../shared/runtime/clock.ts';
import type { BrokerReady } from './broker.ts';
import { end, Helper, run, startService } from './child-process.ts';
import type { Truth } from './door.ts';
import { freePort } from './free-port.ts';
import type { DoorSpec, SimulatorAnswer, SimulatorRequest } from './simulator-messages.ts';
import type { StorePlan } from './stores.ts';

/** The part of the gateway's status that the demo looks at. */
export interface GatewayStatus {
  readonly buffer: {
    readonly buffered: number;
    readonly settled_sequence: number;
    readonly quarantined: readonly { readonly count: number }[];
  };
  readonly ignored: Record<string, number>;
  readonly sources: readonly { readonly state: string }[];
}

export interface StoreOptions {
  readonly plan: StorePlan;
  readonly folder: string;
  readonly seed: number;
  readonly rate_per_min: number;
  readonly hq_url: string;
  readonly token: string;
  readonly clock: Clock;
}

/** A polled counter's reading; people who stop are all reported two of these later. */
export const report_interval_s = 5;
const start_deadline_ms = 120_000;

export class Store {
  readonly plan: StorePlan;
  readonly #options: StoreOptions;
  readonly #gateway_options: string[];
  readonly #socket: string;
  #simulator: Helper<SimulatorRequest, SimulatorAnswer> | undefined;
  #broker: Helper<never, BrokerReady> | undefined;
  #gateway: ChildProcess | undefined;

  constructor(options: StoreOptions) {
    this.plan = options.plan;
    this.#options = options;
    this.#gateway_options = ['--config', join(options.folder, 'footbridge.yaml')];
    this.#socket = join(options.folder, 'data', 'footbridge.sock');
  }

  /** Installs the store as a person would: configuration, pairing, enrolment, gateway. */
  async open(): Promise<void> {
    const { plan, folder, hq_url, token, seed, rate_per_min } = this.#options;
    mkdirSync(folder, { recursive: true });
    const mqtt_port = plan.mqtt === 'listen' ? await freePort() : await this.#startBroker();
    const url = `mqtt://127.0.0.1:${mqtt_port}`;
    const { doors } = plan;
    const spec = { store: plan.code, seed, rate_per_min, doors, mqtt: { url } };
    this.#simulator = new Helper('store-simulator.js', spec);
    const { modbus_port, serial_path } = await this.#simulator.hear('ready');
    writeFileSync(
      join(folder, 'footbridge.yaml'),
      configuration({ folder, mqtt: plan.mqtt, mqtt_port, url, modbus_port, serial_path }),
    );
    for (const door of doors) await run('footbridge', this.#pairing(door));
    await run('footbridge', [...this.#gateway_options, 'enroll', '--hq', hq_url, '--token', token]);
    await this.startGateway();
    await this.#becomes('connected to its sensors', (status) =>
      status.sources.every((source) => source.state === 'running'),
    );
    this.#simulator.tell({ kind: 'open' });
  }

  async startGateway(): Promise<void> {
    this.#gateway = startService('footbridge', [...this.#gateway_options, 'run']);
    await this.#becomes('running', () => true);
  }

  async killGateway(): Promise<void> {
    if (this.#gateway !== undefined) await end(this.#gateway, 'SIGKILL');
  }

  sendTwice(): void {
    this.#simulator?.tell({ kind: 'duplicate' });
  }

  /** People stop; resolves when every message of theirs is acknowledged. */
  async hold(): Promise<void> {
    const held = this.#simulator?.hear('held');
    this.#simulator?.tell({ kind: 'hold' });
    await held;
  }

  async truth(): Promise<readonly Truth[]> {
    const told = this.#simulator?.hear('truth');
    this.#simulator?.tell({ kind: 'truth' });
    return (await told)?.sensors ?? [];
  }

  /** What the gateway says about itself; null while it does not run. */
  status(): Promise<GatewayStatus | null> {
    return new Promise((resolve) => {
      const asked = request({ socketPath: this.#socket, path: '/status' }, (answer) => {
        let body = '';
        answer.on('data', (chunk) => {
          body += chunk;
        });
        answer.on('end', () => resolve(JSON.parse(body) as GatewayStatus));
        answer.on('error', () => resolve(null));
      });
      asked.on('error', () => resolve(null));
      asked.end();
    });
  }

  async close(): Promise<void> {
    if (this.#gateway !== undefined) await end(this.#gateway, 'SIGTERM');
    await this.#simulator?.end();
    await this.#broker?.end();
  }

  async #becomes(what: string, holds: (status: GatewayStatus) => boolean): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + start_deadline_ms;
    for (;;) {
      const status = await this.status();
      if (status !== null && holds(status)) return;
      if (clock.monotonic() > deadline) {
        throw new Error(`the gateway of ${this.plan.code} is not ${what}`);
      }
      await clock.sleep(50);
    }
  }

  async #startBroker(): Promise<number> {
    this.#broker = new Helper('broker.js');
    return (await this.#broker.hear('ready')).port;
  }

  #pairing(door: DoorSpec): string[] {
    const pair = [...this.#gateway_options, 'sensor', 'pair', door.sensor_id];
    switch (door.kind) {
      case 'mqtt-delta':
        return [...pair, '--profile', 'json-interval', '--topic', `counters/${door.sensor_id}`];
      case 'mqtt-trigger':
        return [...pair, '--profile', 'json-crossing', '--topic', `triggers/${door.sensor_id}`];
      case 'modbus': {
        const address = ['--source', 'pulse-counters', '--unit', String(door.unit)];
        return [...pair, '--profile', 'modbus-counter-16', ...address];
      }
      case 'serial': {
        const unit = String(Number.parseInt(door.unit, 16));
        return [...pair, '--profile', 'hpc168', '--source', 'counter-line', '--unit', unit];
      }
    }
  }
}

function configuration(store: {
  folder: string;
  mqtt: 'listen' | 'connect';
  mqtt_port: number;
  url: string;
  modbus_port: number | undefined;
  serial_path: string | undefined;
}): string {
  const sources: object[] = [
    store.mqtt === 'listen'
      ? { name: 'sensors', kind: 'mqtt-listen', host: '127.0.0.1', port: store.mqtt_port }
      : {
          name: 'sensors',
          kind: 'mqtt-connect',
          url: store.url,
          topics: ['counters/#', 'triggers/#'],
        },
  ];
  if (store.modbus_port !== undefined) {
    const port = store.modbus_port;
    sources.push({ name: 'pulse-counters', kind: 'modbus-tcp', host: '127.0.0.1', port });
  }
  if (store.serial_path !== undefined) {
    sources.push({ name: 'counter-line', kind: 'serial', path: store.serial_path });
  }
  // JSON is YAML.
  return JSON.stringify({
    data_dir: join(store.folder, 'data'),
    log_level: 'error',
    report_interval_s,
    heartbeat_interval_s: 5,
    send_interval_s: 1,
    retry_max_s: 5,
    sources,
  });
}
