/** Pairs sensors with the sources that hear them, and tells polled sources what to ask. */

import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import { isSparkplug } from '../profiles/sparkplug-topic.ts';
import type { OpenedSource } from '../sources/open-source.ts';
import { scanBus, type UnitFound } from './bus-scan.ts';
import { assertOneLink, modbusPolls, serialWork, transportsOf } from './polling.ts';
import { loginsOf } from './sensor.ts';
import type { PairedSensor, SensorRegistry } from './sensor-registry.ts';

export class Pairing {
  readonly #configs: readonly SourceConfig[];
  readonly #registry: SensorRegistry;
  readonly #sources: readonly OpenedSource[];

  /** @param sources empty when no daemon runs and only the registry is written. */
  constructor(
    configs: readonly SourceConfig[],
    registry: SensorRegistry,
    sources: readonly OpenedSource[],
  ) {
    this.#configs = configs;
    this.#registry = registry;
    this.#sources = sources;
  }

  /**
   * Pairs a sensor; its readings flow from the next frame on.
   *
   * @param isReplaced another device took the place of the one that was paired.
   *
   * @throws FootbridgeError source_unknown, sensor_invalid, sensor_conflict, profile_unknown
   */
  pair(sensor: unknown, isReplaced = false): PairedSensor {
    const fits = (candidate: PairedSensor) => this.#assertFits(candidate);
    const paired = this.#registry.pair(sensor, fits, isReplaced);
    this.applyToSources();
    return paired;
  }

  /**
   * Pairs all of these, or none.
   *
   * @throws FootbridgeError import_refused
   */
  pairAll(sensors: readonly unknown[]): PairedSensor[] {
    const paired = this.#registry.pairAll(sensors, (candidate) => this.#assertFits(candidate));
    this.applyToSources();
    return paired;
  }

  /** @throws FootbridgeError sensor_unknown */
  unpair(sensor_id: string): void {
    this.#registry.unpair(sensor_id);
    this.applyToSources();
  }

  /**
   * A profile has another text: its sensors are read by it from the next frame on.
   *
   * @throws FootbridgeError when it does not fit them; nothing has then changed.
   */
  renewProfile(name: string): void {
    this.#registry.renew(name, (candidate) => this.#assertFits(candidate));
    this.applyToSources();
  }

  /**
   * Who answers on a Modbus bus, of the units that are not paired.
   *
   * @throws FootbridgeError source_unknown
   */
  async scan(name: string, units: readonly number[], catalogue: Catalogue): Promise<UnitFound[]> {
    const source = this.#sources.find((each) => each.name === name);
    if (source === undefined || !('probe' in source)) {
      const buses = this.#sources.filter((each) => 'probe' in each).map((each) => each.name);
      const detail = `"${name}" is no Modbus bus; known: ${buses.join(', ') || 'none'}`;
      throw new FootbridgeError('source_unknown', detail);
    }
    const paired = new Set(this.#sensorsOf(name).map(({ sensor }) => sensor.unit));
    return scanBus(
      source,
      units.filter((unit) => !paired.has(unit)),
      catalogue,
    );
  }

  applyToSources(): void {
    for (const source of this.#sources) {
      const sensors = this.#sensorsOf(source.name);
      if ('setPolls' in source) source.setPolls(modbusPolls(sensors));
      if ('setWork' in source) source.setWork(serialWork(sensors));
      if ('setLogins' in source) source.setLogins(loginsOf(sensors));
    }
  }

  #assertFits({ sensor, profile }: PairedSensor): void {
    const config = this.#configs.find((each) => each.name === sensor.source);
    if (config === undefined) {
      const known = this.#configs.map((each) => each.name).join(', ');
      throw new FootbridgeError('source_unknown', `"${sensor.source}"; known: ${known}`);
    }
    const spoken: readonly string[] = transportsOf[config.kind];
    if (!spoken.includes(profile.transport)) {
      const detail = `profile ${profile.name} speaks ${profile.transport}, source ${config.name} ${spoken.join(' and ')}`;
      throw new FootbridgeError('sensor_invalid', detail);
    }
    if (sensor.secret_sha256 !== undefined && !config.kind.endsWith('-listen')) {
      const detail = `source ${config.name} asks nobody for a login; leave out --login, or unpair first`;
      throw new FootbridgeError('sensor_invalid', detail);
    }
    if (sensor.secret_sha256 !== undefined && isSparkplug(sensor.topic ?? '')) {
      const detail =
        'a Sparkplug node has one login for all its devices; give it one under "users"';
      throw new FootbridgeError('sensor_invalid', detail);
    }
    if (config.kind === 'serial') assertOneLink(this.#sensorsOf(config.name));
  }

  #sensorsOf(source: string): PairedSensor[] {
    return this.#registry.list().filter(({ sensor }) => sensor.source === source);
  }
}
