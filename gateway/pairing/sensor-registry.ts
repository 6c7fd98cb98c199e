/**
 * The sensors of this store, in one file that is written whole or not at all. Kept apart from the
 * buffer: configuration can be exported, compared and restored without touching a single count.
 */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeDataFile } from '../../shared/runtime/data-file.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { DesiredConfiguration } from '../../shared/wire/configuration.ts';
import { sensors_max } from '../../shared/wire/heartbeat-limits.ts';
import { problemText, readYaml } from '../config/yaml.ts';
import { type Catalogue, profileNamed } from '../profiles/catalogue.ts';
import { presenceTopic } from '../profiles/presence.ts';
import type { Profile } from '../profiles/profile.ts';
import { line_address } from '../sources/source.ts';
import { isSameDevice, keptOf, loginOf } from './paired-again.ts';
import { renamed } from './renamed.ts';
import { addressOf, meteredDevice, type Sensor, sensorSchema } from './sensor.ts';

const fileSchema = z.strictObject({
  sensors: z.array(sensorSchema),
  /** Who a sensor was: paired again, it is told from the device that counted before. */
  unpaired: z.array(sensorSchema).default([]),
});

export interface PairedSensor {
  readonly sensor: Sensor;
  readonly profile: Profile;
  readonly address: string;
  /** See {@link meteredDevice}. */
  readonly metered_device: string;
  /** Where it stands whether the device is there; null where nothing says so. */
  readonly presence_topic: string | null;
}

export class SensorRegistry {
  readonly #path: string;
  readonly #catalogue: Catalogue;
  readonly #sensors = new Map<string, PairedSensor>();
  /** By source and address: every message asks. */
  readonly #addresses = new Map<string, Map<string, PairedSensor>>();
  readonly #unpaired = new Map<string, Sensor>();

  /** @throws FootbridgeError config_invalid when the file has mistakes, with their lines. */
  constructor(path: string, catalogue: Catalogue) {
    this.#path = path;
    this.#catalogue = catalogue;
    if (!existsSync(path)) return;
    const checked = readYaml(readFileSync(path, 'utf8'), fileSchema);
    if (!checked.ok)
      throw new FootbridgeError('config_invalid', problemText(path, checked.problems));
    for (const sensor of checked.value.sensors) this.#load(sensor);
    for (const sensor of checked.value.unpaired) this.#unpaired.set(sensor.sensor_id, sensor);
  }

  /** A mistake in the file must not look like a passing fault: systemd would start it for ever. */
  #load(sensor: Sensor): void {
    try {
      if (this.#sensors.has(sensor.sensor_id)) throw twice(sensor.sensor_id);
      this.#add(sensor);
    } catch (cause) {
      throw new FootbridgeError('config_invalid', `${this.#path}: ${errorText(cause)}`, { cause });
    }
  }

  list(): PairedSensor[] {
    return [...this.#sensors.values()];
  }

  /** @throws FootbridgeError sensor_unknown */
  named(sensor_id: string): PairedSensor {
    const paired = this.#sensors.get(sensor_id);
    if (paired === undefined) throw new FootbridgeError('sensor_unknown', `"${sensor_id}"`);
    return paired;
  }

  /** The sensor whose frames come from this address of this source. */
  at(source: string, address: string): PairedSensor | undefined {
    return this.#addresses.get(source)?.get(address);
  }

  /** The sensors of whose presence this topic speaks. */
  withPresenceAt(source: string, topic: string): PairedSensor[] {
    return this.list().filter(
      ({ sensor, presence_topic }) => presence_topic === topic && sensor.source === source,
    );
  }

  /** One of the devices that share this topic, or this line, each under a name of its own. */
  sharing(source: string, address: string): PairedSensor | undefined {
    return this.list().find(({ sensor, profile }) => {
      const shared = profile.serial === undefined ? (sensor.topic ?? sensor.path) : line_address;
      return sensor.source === source && shared === address;
    });
  }

  /**
   * Pairs a sensor, or changes it when the id is paired already. Its meter and its history at HQ go
   * by `sensor_id`, so a replaced device keeps them. So do its login, until it is unpaired, and its name. Another
   * address or profile is another device; one that took the old one's place without either is told
   * by `isReplaced`.
   *
   * @param assertFits called with the sensor in place; when it throws, nothing has changed.
   * @throws FootbridgeError profile_unknown, sensor_invalid, sensor_conflict
   */
  pair(
    input: unknown,
    assertFits: (paired: PairedSensor) => void,
    isReplaced = false,
  ): PairedSensor {
    const sensor = this.#parsed(input);
    const before = this.#sensors.get(sensor.sensor_id);
    return this.#wholly(() => {
      this.#remove(before);
      return this.#take(sensor, before?.sensor, assertFits, isReplaced);
    });
  }

  /**
   * Pairs several sensors, each as {@link pair} does, or none of them: two may change places.
   *
   * @param assertFits as of {@link pair}.
   * @throws FootbridgeError sensor_invalid, or import_refused with what is wrong with each; nothing
   *   has changed.
   */
  pairAll(inputs: readonly unknown[], assertFits: (paired: PairedSensor) => void): PairedSensor[] {
    return this.#wholly(() => {
      const before = new Map(this.#sensors);
      const sensors = inputs.map((input) => this.#parsed(input));
      for (const { sensor_id } of sensors) this.#remove(before.get(sensor_id));
      const faults: string[] = [];
      const paired = sensors.flatMap((sensor) => {
        const { sensor_id } = sensor;
        try {
          if (this.#sensors.has(sensor_id)) throw twice(sensor_id);
          return [this.#take(sensor, before.get(sensor_id)?.sensor, assertFits, false)];
        } catch (error) {
          faults.push(`${sensor_id}: ${errorText(error)}`);
          return [];
        }
      });
      if (faults.length > 0) throw new FootbridgeError('import_refused', faults.join('\n  '));
      return paired;
    });
  }

  /** @throws FootbridgeError sensor_invalid */
  #parsed(input: unknown): Sensor {
    const said = (input ?? {}) as Partial<Sensor>;
    const before = this.#sensors.get(said.sensor_id ?? '')?.sensor;
    const parsed = sensorSchema.safeParse({ ...keptOf(before, said), ...said });
    if (parsed.success) return parsed.data;
    const detail = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ');
    throw new FootbridgeError('sensor_invalid', detail);
  }

  /** Puts a sensor in place of `before`, which has been taken out. When it throws, none is there. */
  #take(
    sensor: Sensor,
    before: Sensor | undefined,
    assertFits: (paired: PairedSensor) => void,
    isReplaced: boolean,
  ): PairedSensor {
    const candidate = this.#add({ ...loginOf(before), ...sensor });
    try {
      assertFits(candidate);
    } catch (error) {
      this.#remove(candidate);
      throw error;
    }
    const paired = this.#numbered(candidate, before, isReplaced);
    this.#unpaired.delete(sensor.sensor_id);
    return paired;
  }

  /** Makes a change and writes it, or leaves everything as it was. */
  #wholly<T>(change: () => T): T {
    const [sensors, unpaired] = [this.list(), [...this.#unpaired]];
    try {
      const changed = change();
      this.#save();
      return changed;
    } catch (error) {
      for (const map of [this.#sensors, this.#addresses, this.#unpaired]) map.clear();
      for (const paired of sensors) this.#place(paired);
      for (const [sensor_id, sensor] of unpaired) this.#unpaired.set(sensor_id, sensor);
      throw error;
    }
  }

  /** @throws FootbridgeError sensor_unknown */
  unpair(sensor_id: string): void {
    const paired = this.named(sensor_id);
    this.#wholly(() => {
      this.#remove(paired);
      this.#unpaired.set(sensor_id, paired.sensor);
    });
  }

  /**
   * Reads the sensors of a profile by what the catalogue has under its name now.
   *
   * @param assertFits called with each sensor in place; when it throws, nothing has changed.
   * @throws FootbridgeError profile_unknown, sensor_invalid, sensor_conflict
   */
  renew(profile: string, assertFits: (paired: PairedSensor) => void): void {
    const before = this.list().filter(({ sensor }) => sensor.profile === profile);
    for (const paired of before) this.#remove(paired);
    try {
      for (const { sensor } of before) assertFits(this.#add(sensor));
    } catch (error) {
      for (const { sensor } of before) this.#remove(this.#sensors.get(sensor.sensor_id));
      for (const paired of before) this.#place(paired);
      throw error;
    }
  }

  /**
   * Gives sensors and their zones other names, all of them or none.
   *
   * @throws FootbridgeError sensor_unknown, sensor_invalid for zones of what counts a line.
   */
  rename({ sensors, regions }: DesiredConfiguration): void {
    const named = renamed((sensor_id) => this.named(sensor_id), sensors, regions);
    const before = named.map(({ sensor_id }) => this.named(sensor_id));
    for (const sensor of named) this.#place({ ...this.named(sensor.sensor_id), sensor });
    try {
      this.#save();
    } catch (error) {
      for (const paired of before) this.#place(paired);
      throw error;
    }
  }

  /** Counts the devices of a sensor, so that the meter and the keys of messages tell them apart. */
  #numbered(candidate: PairedSensor, now: Sensor | undefined, isReplaced: boolean): PairedSensor {
    const before = now ?? this.#unpaired.get(candidate.sensor.sensor_id);
    if (before === undefined) return candidate;
    const isOther = isReplaced || !isSameDevice(before, candidate.sensor);
    const replaced = (before.replaced ?? 0) + (isOther ? 1 : 0);
    this.#remove(candidate);
    const { replaced: _given, ...sensor } = candidate.sensor;
    return this.#add(replaced === 0 ? sensor : { ...sensor, replaced });
  }

  #add(sensor: Sensor): PairedSensor {
    const profile = profileNamed(this.#catalogue, sensor.profile);
    if (this.#sensors.size >= sensors_max) {
      throw new FootbridgeError('sensor_invalid', `one gateway tells HQ of ${sensors_max} at most`);
    }
    const address = addressOf(sensor, profile);
    const holder = this.at(sensor.source, address);
    if (holder !== undefined) {
      const detail = `${sensor.source} ${address} belongs to ${holder.sensor.sensor_id}`;
      throw new FootbridgeError('sensor_conflict', detail);
    }
    return this.#place({
      sensor,
      profile,
      address,
      metered_device: meteredDevice(sensor, address),
      presence_topic: presenceTopicOf(sensor, profile),
    });
  }

  #place(paired: PairedSensor): PairedSensor {
    this.#sensors.set(paired.sensor.sensor_id, paired);
    const { source } = paired.sensor;
    const addresses = this.#addresses.get(source) ?? new Map<string, PairedSensor>();
    this.#addresses.set(source, addresses.set(paired.address, paired));
    return paired;
  }

  #remove(paired: PairedSensor | undefined): void {
    if (paired === undefined) return;
    this.#sensors.delete(paired.sensor.sensor_id);
    this.#addresses.get(paired.sensor.source)?.delete(paired.address);
  }

  #save(): void {
    const sensors = this.list().map((paired) => paired.sensor);
    const unpaired = [...this.#unpaired.values()];
    const file_text = JSON.stringify(
      { sensors, ...(unpaired.length > 0 && { unpaired }) },
      null,
      2,
    );
    writeDataFile(this.#path, `${file_text}\n`);
  }
}

function presenceTopicOf({ topic }: Sensor, { presence }: Profile): string | null {
  return topic === undefined || presence === undefined ? null : presenceTopic(presence, topic);
}

function twice(sensor_id: string): FootbridgeError {
  return new FootbridgeError('sensor_conflict', `${sensor_id} stands there twice`);
}
