/** A configured source to the object that owns its connection. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { SourceConfig } from '../config/config.ts';
import { ModbusSource } from './modbus.ts';
import { MqttConnectSource } from './mqtt-connect.ts';
import { MqttListenSource } from './mqtt-listen.ts';
import { SerialSource } from './serial.ts';
import type { Accept } from './source.ts';

export type OpenedSource = MqttListenSource | MqttConnectSource | ModbusSource | SerialSource;

export interface SourceSurroundings {
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
  /** Name of this machine, for MQTT client ids. */
  readonly hostname: string;
}

/** @throws FootbridgeError config_invalid when a password file cannot be read. */
export function openSource(config: SourceConfig, around: SourceSurroundings): OpenedSource {
  const { accept, clock, log } = around;
  switch (config.kind) {
    case 'mqtt-listen':
      return new MqttListenSource({ ...config, accept, clock, log });
    case 'mqtt-connect': {
      const password = readPassword(config.name, config.password_file);
      const client_id = config.client_id ?? `footbridge-${around.hostname}-${config.name}`;
      return new MqttConnectSource({ ...config, client_id, password, accept, clock, log });
    }
    case 'modbus-tcp':
      return new ModbusSource({ ...config, accept, clock, log });
    case 'serial':
      return new SerialSource({ ...config, accept, clock, log });
  }
}

function readPassword(source: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const detail = `source ${source}: password_file: ${errorText(cause)}`;
    throw new FootbridgeError('config_invalid', detail, { cause });
  }
}
