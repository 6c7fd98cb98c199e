/**
 * The sensors of this store, in one file that is written whole or not at all. Kept apart from the
 * buffer: configuration can be exported, compared and restored without touching a single count.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { z } from 'zod';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { problemText, readYaml } from '../config/yaml.ts';
import { type Catalogue, profileNamed } from '../profiles/catalogue.ts';
import type { Profile } from '../profiles/profile.ts';
import { addressOf, type Sensor, sensorSchema } from './sensor.ts';

const fileSchema = z.strictObject({ sensors: z.array(sensorSchema) });

export interface PairedSensor {
  readonly sensor: Sensor;
  readonly profile: Profile;
  readonly address: string;
}

export class SensorRegistry {
  readonly #path: string;
  readonly #catalogue: Catalogue;
  readonly #sensors = new Map<string, PairedSensor>();
  readonly #addresses = new Map<string, PairedSensor>();

  /** @throws FootbridgeError config_invalid when the file has mistakes, with their lines. */
  constructor(path: string, catalogue: Catalogue) {
    this.#path = path;
    this.#catalogue = catalogue;
    if (!existsSync(path)) return;
    const checked = readYaml(readFileSync(path, 'utf8'), fileSchema);
    if (!checked.ok)
      throw new FootbridgeError('config_invalid', problemText(path, checked.problems));
    for (const sensor of checked.value.sensors) this.#load(sensor);
  }

  /** A mistake in the file must not look like a passing fault: systemd would start it for ever. */
  #load(sensor: Sensor): void {
    try {
      if (this.#sensors.has(sensor.sensor_id)) {
        throw new FootbridgeError('sensor_conflict', `${sensor.sensor_id} stands there twice`);
      }
      this.#add(sensor);
    } catch (cause) {
      throw new FootbridgeError('config_invalid', `${this.#path}: ${errorText(cause)}`, { cause });
    }
  }

  list(): PairedSensor[] {
    return [...this.#sensors.values()];
  }

  /** The sensor whose frames come from this address of this source. */
  at(source: string, address: string): PairedSensor | undefined {
    return this.#addresses.get(addressKey(source, address));
  }

  /** One of the devices that share this topic, each under a name of its own. */
  sharing(source: string, topic: string): PairedSensor | undefined {
    return this.list().find(
      ({ sensor }) => sensor.source === source && (sensor.topic ?? sensor.path) === topic,
    );
  }

  /**
   * Pairs a sensor, or changes it when the id is paired already. Its meter and its history at HQ go
   * by `sensor_id`, so a replaced device keeps them. So does its login, until it is unpaired.
   *
   * @param assertFits called with the sensor in place; when it throws, nothing has changed.
   * @throws FootbridgeError profile_unknown, sensor_invalid, sensor_conflict
   */
  pair(input: unknown, assertFits: (paired: PairedSensor) => void): PairedSensor {
    const parsed = sensorSchema.safeParse(input);
    if (!parsed.success) {
      const detail = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ');
      throw new FootbridgeError('sensor_invalid', detail);
    }
    const before = this.#sensors.get(parsed.data.sensor_id);
    this.#remove(before);
    try {
      const kept = before?.sensor.secret_sha256;
      const paired = this.#add({
        ...(kept === undefined ? {} : { secret_sha256: kept }),
        ...parsed.data,
      });
      assertFits(paired);
      this.#save();
      return paired;
    } catch (error) {
      this.#remove(this.#sensors.get(parsed.data.sensor_id));
      if (before !== undefined) this.#add(before.sensor);
      throw error;
    }
  }

  /** @throws FootbridgeError sensor_unknown */
  unpair(sensor_id: string): void {
    const paired = this.#sensors.get(sensor_id);
    if (paired === undefined) throw new FootbridgeError('sensor_unknown', `"${sensor_id}"`);
    this.#remove(paired);
    this.#save();
  }

  #add(sensor: Sensor): PairedSensor {
    const profile = profileNamed(this.#catalogue, sensor.profile);
    const address = addressOf(sensor, profile);
    const key = addressKey(sensor.source, address);
    const holder = this.#addresses.get(key);
    if (holder !== undefined) {
      const detail = `${sensor.source} ${address} belongs to ${holder.sensor.sensor_id}`;
      throw new FootbridgeError('sensor_conflict', detail);
    }
    const paired = { sensor, profile, address };
    this.#sensors.set(sensor.sensor_id, paired);
    this.#addresses.set(key, paired);
    return paired;
  }

  #remove(paired: PairedSensor | undefined): void {
    if (paired === undefined) return;
    this.#sensors.delete(paired.sensor.sensor_id);
    this.#addresses.delete(addressKey(paired.sensor.source, paired.address));
  }

  #save(): void {
    const sensors = this.list().map((paired) => paired.sensor);
    const written = `${this.#path}.new`;
    const file = openSync(written, 'w', 0o644);
    writeSync(file, `${JSON.stringify({ sensors }, null, 2)}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(written, this.#path);
  }
}

function addressKey(source: string, address: string): string {
  return `${source}\n${address}`;
}
