/** The daemon's searches for devices that do not speak unasked: one at a time, beside the counting. */
import { existsSync, realpathSync } from 'node:fs';
import type { Clock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import { scanRequestSchema, type UnitFound } from './bus-scan.ts';
import { lineRequestSchema, probeLine } from './line-probe.ts';
import { type DeviceFound, networkRequestSchema, scanNetwork } from './network-scan.ts';
import type { Pairing } from './pairing.ts';
import type { SensorRegistry } from './sensor-registry.ts';

export interface ScanParts {
  readonly configs: readonly SourceConfig[];
  readonly pairing: Pairing;
  readonly registry: SensorRegistry;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
}

export class Scans {
  readonly #parts: ScanParts;
  /** Ends with the search before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ScanParts) {
    this.#parts = parts;
  }

  /** @throws FootbridgeError source_unknown */
  bus(asked: unknown): Promise<UnitFound[]> {
    const { source, units } = scanRequestSchema.parse(asked);
    return this.#next(() => this.#parts.pairing.scan(source, units, this.#parts.catalogue));
  }

  network(asked: unknown): Promise<DeviceFound[]> {
    const request = networkRequestSchema.parse(asked);
    return this.#next(() => scanNetwork(request, this.#parts));
  }

  /** @throws FootbridgeError line_owned, source_unavailable, profile_unknown */
  line(asked: unknown): Promise<UnitFound[]> {
    const request = lineRequestSchema.parse(asked);
    return this.#next(() => {
      this.#assertFree(request.path);
      return probeLine(request, this.#parts);
    });
  }

  /** A serial source without a sensor has its port closed; any other talks on it. */
  #assertFree(path: string): void {
    const { configs, registry } = this.#parts;
    const owner = configs.find((one) => 'path' in one && isSameFile(one.path, path));
    if (owner === undefined) return;
    const isUsed = registry.list().some(({ sensor }) => sensor.source === owner.name);
    if (owner.kind === 'serial' && !isUsed) return;
    const detail = `${path} is source ${owner.name}`;
    throw new FootbridgeError('line_owned', detail);
  }

  #next<T>(search: () => Promise<T>): Promise<T> {
    const found = this.#last.then(search);
    this.#last = found.catch(() => {});
    return found;
  }
}

function isSameFile(one: string, other: string): boolean {
  const real = (path: string) => (existsSync(path) ? realpathSync(path) : path);
  return real(one) === real(other);
}
