/** Changes of the pairing: through the running daemon, or in its file where none runs. */
import { mkdirSync } from 'node:fs';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Pairing } from '../pairing/pairing.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import type { Setting } from './setting.ts';

/** A running daemon must hear of a change at once; without one, the registry file is enough. */
export async function viaDaemon<T>(
  setting: Setting,
  ask: (socket: string) => Promise<T>,
  write: (pairing: Pairing) => T,
): Promise<T> {
  try {
    return await ask(setting.files.socket);
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    mkdirSync(setting.config.data_dir, { recursive: true });
    const { Pairing } = await import('../pairing/pairing.ts');
    const registry = new SensorRegistry(setting.files.sensors, setting.catalogue());
    return write(new Pairing(setting.config.sources, registry, []));
  }
}

export function isNotRunning(error: unknown): boolean {
  return error instanceof FootbridgeError && error.code === 'not_running';
}
