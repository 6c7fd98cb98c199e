/**
 * A configured source to the object that owns its connection. Only what the store has is loaded: the
 * packages of all transports together take 40 MB of a gateway's memory.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { SourceConfig } from '../config/config.ts';
import { Access, secretHash } from './access.ts';
import { digestHash } from './digest.ts';
import type { HttpListenSource } from './http-listen.ts';
import type { KeptSubscriptions } from './kept-subscriptions.ts';
import type { ModbusSource } from './modbus.ts';
import type { ModbusBus } from './modbus-link.ts';
import type { MqttConnectSource } from './mqtt-connect.ts';
import type { MqttListenSource } from './mqtt-listen.ts';
import type { SerialSource } from './serial.ts';
import type { Accept } from './source.ts';
import { connectTls, listenTls, readSetting } from './tls.ts';

export type OpenedSource =
  | MqttListenSource
  | MqttConnectSource
  | HttpListenSource
  | ModbusSource
  | SerialSource;

type Of<Kind extends SourceConfig['kind']> = Extract<SourceConfig, { kind: Kind }>;

export interface SourceSurroundings {
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
  /** Name of this machine, for MQTT client ids. */
  readonly hostname: string;
  /** What brokers have of the gateway; missing where a source is only tried. */
  readonly subscriptions?: KeptSubscriptions;
}

/** @throws FootbridgeError config_invalid when a file with a password or a key cannot be read. */
export async function openSource(
  config: SourceConfig,
  around: SourceSurroundings,
): Promise<OpenedSource> {
  const { accept, clock, log } = around;
  switch (config.kind) {
    case 'mqtt-listen':
      return openListener(config, around);
    case 'http-listen':
      return openPushListener(config, around);
    case 'mqtt-connect':
      return openClient(config, around);
    case 'modbus-tcp':
    case 'modbus-rtu':
    case 'modbus-rtu-tcp': {
      const { ModbusSource } = await import('./modbus.ts');
      const bus = await busOf(config, clock);
      return new ModbusSource({ name: config.name, bus, accept, clock, log });
    }
    case 'serial': {
      const { SerialSource } = await import('./serial.ts');
      return new SerialSource({ ...config, accept, clock, log });
    }
  }
}

async function busOf(
  config: Of<'modbus-tcp' | 'modbus-rtu' | 'modbus-rtu-tcp'>,
  clock: Clock,
): Promise<ModbusBus> {
  if (config.kind === 'modbus-tcp') {
    const { modbusTcpBus } = await import('./modbus-tcp.ts');
    return modbusTcpBus(config.host, config.port, clock);
  }
  const { modbusRtuBus, modbusRtuOverTcpBus } = await import('./modbus-rtu.ts');
  return config.kind === 'modbus-rtu'
    ? modbusRtuBus(config.path, { ...config, data_bits: 8 }, clock)
    : modbusRtuOverTcpBus(config.host, config.port, clock);
}

async function openListener(
  config: Of<'mqtt-listen'>,
  around: SourceSurroundings,
): Promise<MqttListenSource> {
  const { name, host, port, allow_anonymous } = config;
  const tls = listenTlsOf(config);
  const users = config.users.map(({ username, password_file, topics }) => {
    const password = readPassword(name, password_file);
    const secret_sha256 = secretHash(password);
    const secret_digest = digestHash(username, password);
    return { username, secret_sha256, secret_digest, addresses: topics };
  });
  const access = new Access({ allow_anonymous, users });
  const { MqttListenSource } = await import('./mqtt-listen.ts');
  return new MqttListenSource({ name, host, port, tls, access, ...around });
}

async function openPushListener(
  config: Of<'http-listen'>,
  around: SourceSurroundings,
): Promise<HttpListenSource> {
  const { name, host, port, device_id, allow_anonymous } = config;
  const tls = listenTlsOf(config);
  const access = new Access({ allow_anonymous, users: [] });
  const { HttpListenSource } = await import('./http-listen.ts');
  return new HttpListenSource({ name, host, port, device_id, tls, access, ...around });
}

async function openClient(
  config: Of<'mqtt-connect'>,
  around: SourceSurroundings,
): Promise<MqttConnectSource> {
  const { name, url, topics, username, password_file, status_topic } = config;
  const password = password_file === undefined ? undefined : readPassword(name, password_file);
  const client_id = config.client_id ?? `footbridge-${around.hostname}-${name}`;
  // Read at every connect, so that a renewed certificate needs no restart; now, to fail early.
  const tls = () => connectTls(name, config.tls ?? {});
  tls();
  const own = { name, url, topics, client_id, username, password, status_topic, tls };
  const { MqttConnectSource } = await import('./mqtt-connect.ts');
  return new MqttConnectSource({ ...own, ...around });
}

/** Read at every look, so that a renewed certificate needs no restart; now, to fail early. */
function listenTlsOf({ name, tls }: Of<'mqtt-listen' | 'http-listen'>) {
  if (tls === undefined) return undefined;
  listenTls(name, tls);
  return () => listenTls(name, tls);
}

function readPassword(source: string, file: string): string {
  return readSetting(source, 'password_file', file).toString('utf8').trim();
}
