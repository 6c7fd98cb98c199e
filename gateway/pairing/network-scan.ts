/**
 * Looks for Modbus TCP devices at addresses that a person named. Each is called once, and asked a few
 * registers where it listens; the connections of the sources are left alone.
 */
import { connect } from 'node:net';
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import { scanBus, type UnitFound } from './bus-scan.ts';

export interface DeviceFound {
  readonly host: string;
  readonly port: number;
  /** The source that has this device already, or null. */
  readonly source: string | null;
  /** Empty where something listens that is no Modbus, and where a source has the device. */
  readonly units: readonly UnitFound[];
}

/** So many are called at the same time. */
export const hosts_a_request = 16;

export const networkRequestSchema = z.object({
  hosts: z.array(z.ipv4()).max(hosts_a_request),
  port: z.number().int().min(1).max(65_535),
});
export type NetworkRequest = z.infer<typeof networkRequestSchema>;

/** In a store's network an answer takes a few milliseconds. */
const connect_timeout_ms = 1_000;
/** What devices with a network port of their own call themselves, the usual number first. */
const own_units = [1, 255, 0];

export async function scanNetwork(
  { hosts, port }: NetworkRequest,
  around: { configs: readonly SourceConfig[]; catalogue: Catalogue; clock: Clock },
): Promise<DeviceFound[]> {
  const found = await Promise.all(hosts.map((host) => look(host, port, around)));
  return found.filter((device) => device !== null);
}

async function look(
  host: string,
  port: number,
  { configs, catalogue, clock }: Parameters<typeof scanNetwork>[1],
): Promise<DeviceFound | null> {
  const owner = configs.find((one) => 'host' in one && one.host === host && one.port === port);
  // Many devices take one connection only: a second one would cost the first.
  if (owner !== undefined) return { host, port, source: owner.name, units: [] };
  if (!(await listens(host, port, clock))) return null;
  const { ModbusSource } = await import('../sources/modbus.ts');
  const { modbusTcpBus } = await import('../sources/modbus-tcp.ts');
  const bus = modbusTcpBus(host, port, clock);
  const accept = async () => {};
  const source = new ModbusSource({ name: host, bus, accept, clock, log: silentLog });
  await source.start();
  try {
    for (const unit of own_units) {
      const units = await scanBus(source, [unit], catalogue);
      if (units.length > 0) return { host, port, source: null, units };
    }
    return { host, port, source: null, units: [] };
  } finally {
    await source.stop();
  }
}

function listens(host: string, port: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const cancel = clock.after(connect_timeout_ms, () => socket.destroy());
    let isOpen = false;
    socket.on('connect', () => {
      isOpen = true;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      cancel();
      resolve(isOpen);
    });
  });
}
