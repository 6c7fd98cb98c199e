/**
 * What HQ wants sensors and zones to be called: taken whole or not at all, into the registry, where names
 * stand. Nothing that counts looks at a name, so the buffer and the meters do not notice.
 */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeDataFile } from '../../shared/runtime/data-file.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import {
  type ConfigurationReport,
  configurationVersionSchema,
  desiredConfigurationSchema,
} from '../../shared/wire/configuration.ts';
import type { SensorRegistry } from './sensor-registry.ts';

/** A version counts for one gateway: enrolled anew, it starts from nothing. */
const appliedSchema = z.object({ gateway_id: z.uuid(), version: configurationVersionSchema });
type Applied = z.infer<typeof appliedSchema>;

const detail_max = 500;

export class DesiredNames {
  readonly #path: string;
  readonly #registry: Pick<SensorRegistry, 'rename'>;
  readonly #log: Log;
  #applied: Applied | null;
  #refused: ConfigurationReport['refused'] = null;

  /** @param path of the file that says which version is in the registry. */
  constructor(path: string, registry: Pick<SensorRegistry, 'rename'>, log: Log) {
    this.#path = path;
    this.#registry = registry;
    this.#log = log;
    this.#applied = readApplied(path);
  }

  /** @param gateway_id as which the gateway speaks; missing: as whichever it did. */
  report(gateway_id = this.#applied?.gateway_id): ConfigurationReport {
    const isOurs = this.#applied?.gateway_id === gateway_id;
    return { version: isOurs ? (this.#applied?.version ?? 0) : 0, refused: this.#refused };
  }

  /**
   * Takes what HQ told. What cannot be taken changes nothing and stands in {@link report}; HQ tells it
   * with each answer, so it is taken once it fits.
   */
  take(gateway_id: string, told: { version: number; desired?: unknown }): void {
    const { version } = told;
    try {
      this.#registry.rename(parsed(told.desired));
      // After the names: a power cut in between has them taken once more.
      writeDataFile(this.#path, `${JSON.stringify({ gateway_id, version })}\n`);
      this.#applied = { gateway_id, version };
      this.#refused = null;
      this.#log.info({ version }, 'names from HQ are in use');
    } catch (error) {
      const detail = errorText(error).slice(0, detail_max);
      if (this.#refused?.detail !== detail) {
        this.#log.error({ version, detail }, 'names from HQ are refused');
      }
      this.#refused = { version, detail };
    }
  }
}

function parsed(desired: unknown) {
  const checked = desiredConfigurationSchema.safeParse(desired);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new FootbridgeError('configuration_invalid', `${issue?.path.join('.')}: ${issue?.message}`);
}

/** A damaged file costs nothing: HQ tells its version again. */
function readApplied(path: string): Applied | null {
  if (!existsSync(path)) return null;
  try {
    return appliedSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}
