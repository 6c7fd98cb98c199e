/**
 * `POST /v1/heartbeats`: what a gateway says about itself every `heartbeat_interval_s`.
 *
 * Counts tell HQ that people walked; the heartbeat tells it that the gateway would know. Sensors
 * are judged by `delivered_at`, never by HQ's clock: a store with a cut line is late, not empty.
 */
import { z } from 'zod';
import { configurationReportSchema, configurationVersionSchema } from './configuration.ts';
import { epochs_max, held_max, sensors_max } from './heartbeat-limits.ts';
import { sensorIdSchema, text } from './names.ts';

export const heartbeat_interval_s = 60;

const instant = z.number().int().min(0);

const sensorReport = z.object({
  sensor_id: sensorIdSchema,
  name: text(255),
  profile: text(100),
  kind: z.enum(['line', 'zone']),
  /** When the gateway last received a frame of this sensor, ms since the epoch; null: never. */
  last_seen_at: instant.nullable(),
  /** Since when it is gone, as it or its broker said; older gateways do not say. */
  offline_since: instant.nullable().optional(),
  /** How long this device may be quiet before it counts as silent, seconds. */
  silent_after_s: z.number().int().min(1).max(604_800),
  /** Charge of its weakest battery, percent; left out where the device has none or has not said. */
  battery_pct: z.number().min(0).max(100).optional(),
  /** Faults that the device has spoken of since the gateway started: whether it has them now. */
  faults: z
    .record(text(50), z.boolean())
    .refine((faults) => Object.keys(faults).length <= 50, { error: 'at most 50 faults' })
    .optional(),
});

const sourceReport = z.object({
  source: text(100),
  state: z.enum(['starting', 'running', 'failing', 'stopped']),
  /** Code of the last error while not running. */
  error: text(100).nullable(),
});

const lossReport = z.object({
  /** The life of the buffer in which it was counted; missing: the heartbeat's. */
  epoch: z.uuid().optional(),
  source: text(100),
  /** Why frames or readings stand in quarantine, for example `checksum` or `unknown_topic`. */
  reason: text(100),
  /** Bounded, so that HQ's sums over sources and gateways stay numbers. */
  count: z.number().int().min(0).max(1_000_000_000_000),
});

const sequence = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/**
 * The part of the log that one process appended. Each has an epoch of its own: of two lives that an
 * old image of a disk gives one buffer, no two readings have the same epoch and sequence.
 */
const epochReport = z.object({
  epoch: z.uuid(),
  first_sequence: sequence,
  /** The last that is in the log, or that it ever had where later ones are another epoch's. */
  last_sequence: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
});

export type EpochReport = z.infer<typeof epochReport>;

export const heartbeatSchema = z.object({
  version: text(50),
  epoch: z.uuid(),
  /** The gateway's wall clock when it sent this, ms since the epoch. */
  sent_at: instant,
  /** Readings in the buffer that HQ has not settled. */
  buffered: z.number().int().min(0),
  /** `observed_at` of the oldest of them, or null. */
  oldest_unsent_at: instant.nullable(),
  /** HQ has everything the gateway received up to here, ms since the epoch. */
  delivered_at: instant,
  /** `eco`: fsynced like the rest, every 5 s; `degraded`: commits fail, nothing is acknowledged. */
  durability: z.enum(['fsync', 'eco', 'degraded']),
  sensors: z.array(sensorReport).max(sensors_max),
  sources: z.array(sourceReport).max(100),
  quarantined: z.array(lossReport).max(1_000),
  /** Made anew by every process: two that live at once are two machines with one credential. */
  instance: z.uuid().optional(),
  /** HQ has settled this epoch up to here, as the gateway knows it; compared with HQ's memory. */
  settled_sequence: z.number().int().min(0).optional(),
  /** The first sequence that this gateway delivers: what is older was delivered as another. */
  first_sequence: z.number().int().min(1).optional(),
  /** What the log is made of, oldest first; its last is the one that this process appends to. */
  epochs: z.array(epochReport).max(epochs_max).optional(),
  /**
   * Running totals whose first interval after a start, from `since` to `until`, waits for HQ's answer: a life
   * of the gateway whose disk is gone may have counted part of it.
   */
  held: z
    .array(z.object({ sensor_id: sensorIdSchema, since: instant, until: instant }))
    .max(held_max)
    .optional(),
  /** When HQ first answered this process, as the answer said; missing before. */
  heard_at: instant.optional(),
  /** Of the disk that holds the buffer; older gateways do not say. */
  disk: z
    .object({ free_bytes: z.number().int().min(0), total_bytes: z.number().int().min(0) })
    .optional(),
  /** Certificates that the gateway shows to others; `expires_at` in ms since the epoch. */
  certificates: z
    .array(z.object({ name: text(100), expires_at: instant }))
    .max(100)
    .optional(),
  /** Missing: a gateway that takes none from HQ. */
  configuration: configurationReportSchema.optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

export const heartbeatAnswerSchema = z.object({
  /** HQ's clock, ms since the epoch: lets the gateway see that its own is wrong. */
  server_time: instant,
  /** What HQ has of each epoch that it was told of, within what it was told. */
  epochs: z
    .array(z.object({ epoch: z.uuid(), settled: z.array(z.tuple([sequence, sequence])) }))
    .optional(),
  /** The time of HQ's database, ms since the epoch: nothing of the gateway's that is older is to come. */
  heard_at: instant.optional(),
  /** What HQ has of the intervals that are held; those of which it has nothing are left out. */
  counted: z
    .array(
      z.object({
        sensor_id: sensorIdSchema,
        /** Start of the interval that is held. */
        since: instant,
        /** That lie in it, in whole or in part: those of the gateway's own log are among them. */
        readings: z.number().int().min(0),
        in: z.number().int().min(0),
        out: z.number().int().min(0),
        /** End of the last reading that HQ has of it, ms since the epoch. */
        until: instant,
        /** The counter was reset or ran over inside one of those, or one began before the interval. */
        is_unclear: z.boolean(),
      }),
    )
    .optional(),
  /** HQ wants a new key, see credential.ts. */
  rotate: z.boolean().optional(),
  /** What the gateway is to go by, when that is another version than it said; see configuration.ts. */
  configuration: z.object({ version: configurationVersionSchema, desired: z.unknown() }).optional(),
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>;
