/**
 * A gateway's desired configuration: what HQ wants its sensors and their zones to be called. It comes
 * back with the answer to a heartbeat and is taken whole or not at all. It names things; which device a
 * sensor is, and what it has counted, it cannot touch.
 */
import { z } from 'zod';
import { sensorIdSchema, text } from './names.ts';

const nameSchema = text(255).min(1);

const sensorNameSchema = z.strictObject({ sensor_id: sensorIdSchema, name: nameSchema });

const regionNameSchema = z.strictObject({
  sensor_id: sensorIdSchema,
  /** The zone's id as the device says it. */
  region_id: text(100).min(1),
  name: nameSchema,
});

/** What an operator writes. Sensors and zones that it does not name stay as they are. */
export const desiredConfigurationSchema = z
  .strictObject({
    sensors: z.array(sensorNameSchema).max(1_000).default([]),
    regions: z.array(regionNameSchema).max(1_000).default([]),
  })
  .superRefine(({ sensors, regions }, context) => {
    const repeated = (keys: readonly string[], path: 'sensors' | 'regions') =>
      keys.forEach((key, i) => {
        if (keys.indexOf(key) === i) return;
        context.addIssue({ code: 'custom', path: [path, i], message: 'stands there twice' });
      });
    repeated(
      sensors.map(({ sensor_id }) => sensor_id),
      'sensors',
    );
    repeated(
      regions.map(({ sensor_id, region_id }) => `${sensor_id}\n${region_id}`),
      'regions',
    );
  });
export type DesiredConfiguration = z.infer<typeof desiredConfigurationSchema>;

export const configurationVersionSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What a gateway says of it. */
export const configurationReportSchema = z.object({
  /** What it goes by; 0: it has never had one. */
  version: configurationVersionSchema,
  /** The one that it could not take, and why; null: none. */
  refused: z.object({ version: configurationVersionSchema, detail: text(500) }).nullable(),
});
export type ConfigurationReport = z.infer<typeof configurationReportSchema>;
