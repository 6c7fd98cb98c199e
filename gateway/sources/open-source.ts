/** A configured source to the object that owns its connection. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { SourceConfig } from '../config/config.ts';
import { Access, secretHash } from './access.ts';
import { HttpListenSource } from './http-listen.ts';
import { ModbusSource } from './modbus.ts';
import type { ModbusBus } from './modbus-link.ts';
import { modbusRtuBus, modbusRtuOverTcpBus } from './modbus-rtu.ts';
import { modbusTcpBus } from './modbus-tcp.ts';
import { MqttConnectSource } from './mqtt-connect.ts';
import { MqttListenSource } from './mqtt-listen.ts';
import { SerialSource } from './serial.ts';
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
}

/** @throws FootbridgeError config_invalid when a file with a password or a key cannot be read. */
export function openSource(config: SourceConfig, around: SourceSurroundings): OpenedSource {
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
    case 'modbus-rtu-tcp':
      return new ModbusSource({ name: config.name, bus: busOf(config, clock), accept, clock, log });
    case 'serial':
      return new SerialSource({ ...config, accept, clock, log });
  }
}

function busOf(
  config: Of<'modbus-tcp' | 'modbus-rtu' | 'modbus-rtu-tcp'>,
  clock: Clock,
): ModbusBus {
  switch (config.kind) {
    case 'modbus-tcp':
      return modbusTcpBus(config.host, config.port, clock);
    case 'modbus-rtu':
      return modbusRtuBus(config.path, { ...config, data_bits: 8 }, clock);
    case 'modbus-rtu-tcp':
      return modbusRtuOverTcpBus(config.host, config.port, clock);
  }
}

function openListener(config: Of<'mqtt-listen'>, around: SourceSurroundings): MqttListenSource {
  const { name, host, port, allow_anonymous } = config;
  const tls = config.tls === undefined ? undefined : listenTls(name, config.tls);
  const users = config.users.map(({ username, password_file, topics }) => {
    const secret_sha256 = secretHash(readPassword(name, password_file));
    return { username, secret_sha256, addresses: topics };
  });
  const access = new Access({ allow_anonymous, users });
  return new MqttListenSource({ name, host, port, tls, access, ...around });
}

function openPushListener(config: Of<'http-listen'>, around: SourceSurroundings): HttpListenSource {
  const { name, host, port, device_id, allow_anonymous } = config;
  const tls = config.tls === undefined ? undefined : listenTls(name, config.tls);
  const access = new Access({ allow_anonymous, users: [] });
  return new HttpListenSource({ name, host, port, device_id, tls, access, ...around });
}

function openClient(config: Of<'mqtt-connect'>, around: SourceSurroundings): MqttConnectSource {
  const { name, url, topics, username, password_file, status_topic } = config;
  const password = password_file === undefined ? undefined : readPassword(name, password_file);
  const client_id = config.client_id ?? `footbridge-${around.hostname}-${name}`;
  // Read at every connect, so that a renewed certificate needs no restart; now, to fail early.
  const tls = () => connectTls(name, config.tls ?? {});
  tls();
  const own = { name, url, topics, client_id, username, password, status_topic, tls };
  return new MqttConnectSource({ ...own, ...around });
}

function readPassword(source: string, file: string): string {
  return readSetting(source, 'password_file', file).toString('utf8').trim();
}
