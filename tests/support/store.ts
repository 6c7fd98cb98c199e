/** A store on this machine: a gateway with an MQTT source and a page, and a sensor to speak for. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { end, freePort, listening, service } from './process.ts';
import type { Workspace } from './workspace.ts';

export interface Store {
  readonly folder: string;
  readonly port: number;
  readonly page: string;
  readonly socket: string;
  /** The options that name this store's configuration. */
  readonly of: readonly string[];
}

/** @param more settings of the page, and lines of the configuration, sources last. */
export async function newStore(
  workspace: Workspace,
  more: { page?: string; sources?: string } = {},
): Promise<Store> {
  const folder = workspace.folder();
  const port = await freePort();
  const page_port = await freePort();
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `data_dir: ${folder}/data
send_interval_s: 0.1
retry_max_s: 1
page: { port: ${page_port}${more.page === undefined ? '' : `, ${more.page}`} }
sources:
  - { name: sensors, kind: mqtt-listen, host: 127.0.0.1, port: ${port} }
${more.sources ?? ''}`,
  );
  const socket = join(folder, 'data/footbridge.sock');
  return { folder, port, page: `http://127.0.0.1:${page_port}`, socket, of: ['--config', config] };
}

/** Starts the gateway; it is ended with the test. */
export async function run(workspace: Workspace, store: Store): Promise<ChildProcess> {
  const gateway = service('footbridge', ...store.of, 'run');
  workspace.onEnd(() => end(gateway));
  await Promise.all([listening(store.port), listening(Number(new URL(store.page).port))]);
  return gateway;
}

export async function sensorClient(workspace: Workspace, { port }: Store): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 100 });
  workspace.onEnd(() => client.endAsync(true));
  return client;
}

/** A crossing as json-crossing reads it. */
export function crossing(id: number, direction: 'in' | 'out'): string {
  return JSON.stringify({ id, time: new Date().toISOString(), direction });
}
