/** What the gateway says about itself: to the CLI in full, to HQ as the heartbeat. */
import { statfsSync } from 'node:fs';
import type { Clock } from '../shared/runtime/clock.ts';
import type { ConfigurationReport } from '../shared/wire/configuration.ts';
import type { Heartbeat } from '../shared/wire/heartbeat.ts';
import type { BufferStats } from './buffer/entry.ts';
import type { ReadingBuffer } from './buffer/reading-buffer.ts';
import type { PageStatus } from './local/page-server.ts';
import type { DesiredNames } from './pairing/desired-names.ts';
import { kindOf } from './pairing/sensor.ts';
import type { PairedSensor, SensorRegistry } from './pairing/sensor-registry.ts';
import type { Pipeline } from './pipeline.ts';
import type { ProfileFault, SiteProfiles } from './profiles/site-profiles.ts';
import { type Sighting, unseen } from './sightings.ts';
import type { EndingCertificate } from './sources/certificates.ts';
import type { Source, SourceStatus } from './sources/source.ts';
import type { UplinkStatus } from './sync/uplink.ts';

export interface SensorStatus extends Sighting {
  readonly sensor_id: string;
  readonly name: string;
  readonly profile: string;
  readonly source: string;
  readonly address: string;
  readonly kind: 'line' | 'zone';
  readonly silent_after_s: number;
}

export interface GatewayStatus {
  readonly version: string;
  readonly started_at: number;
  readonly now: number;
  /** `eco`: a commit every 5 s; `degraded`: commits fail at the moment, nothing is acknowledged. */
  readonly durability: 'fsync' | 'eco' | 'degraded';
  /** Why commits fail, or null. */
  readonly buffer_error: string | null;
  readonly buffer: BufferStats;
  readonly sources: readonly SourceStatus[];
  readonly sensors: readonly SensorStatus[];
  /** Frames understood that carried no people, by reason, since start. */
  readonly ignored: Record<string, number>;
  /** Profiles of the site that are not in use as they stand in their files. */
  readonly profile_faults: readonly ProfileFault[];
  /** When the certificates end that sources show to others. */
  readonly certificates: readonly EndingCertificate[];
  /** The names that HQ wants, as far as they are in use. */
  readonly configuration: ConfigurationReport;
  readonly uplink: UplinkStatus;
  readonly page: PageStatus;
}

export interface StatusParts {
  readonly version: string;
  /** Made anew by every process. */
  readonly instance: string;
  readonly started_at: number;
  readonly buffer: ReadingBuffer;
  readonly sources: readonly Source[];
  readonly registry: SensorRegistry;
  readonly names: Pick<DesiredNames, 'report'>;
  readonly pipeline: Pipeline;
  readonly profiles: Pick<SiteProfiles, 'faults'>;
  readonly clock: Clock;
  /** Whose disk holds the buffer. */
  readonly data_dir: string;
  readonly certificates: () => readonly EndingCertificate[];
  readonly page: () => PageStatus;
}

export async function gatewayStatus(
  parts: StatusParts,
  uplink: UplinkStatus,
): Promise<GatewayStatus> {
  const { buffer, clock, pipeline } = parts;
  return {
    version: parts.version,
    started_at: parts.started_at,
    now: clock.now(),
    durability: buffer.durability,
    buffer_error: buffer.failure,
    buffer: await buffer.stats(),
    sources: parts.sources.map((source) => source.status()),
    sensors: sensorStatuses(parts),
    ignored: pipeline.ignored(),
    profile_faults: parts.profiles.faults(),
    certificates: parts.certificates(),
    configuration: parts.names.report(uplink.enrolled?.gateway_id),
    uplink,
    page: parts.page(),
  };
}

/** The wire takes so many; the next heartbeat tells what this one leaves out, for what HQ knows comes last. */
const losses_told_max = 1_000;

export async function heartbeatOf(parts: StatusParts): Promise<Heartbeat> {
  // Read before the statistics: what arrives in between is then too much delay, never too little.
  const now = parts.clock.now();
  const stats = await parts.buffer.stats();
  const delivered_at =
    stats.oldest_unsent_received_at === null ? now : Math.min(stats.oldest_unsent_received_at, now);
  return {
    version: parts.version,
    epoch: stats.epoch,
    instance: parts.instance,
    settled_sequence: stats.settled_sequence,
    first_sequence: stats.first_sequence,
    epochs: [...stats.epochs],
    held: [...stats.held],
    sent_at: now,
    buffered: stats.buffered,
    oldest_unsent_at: stats.oldest_unsent_at,
    delivered_at,
    durability: parts.buffer.durability,
    sensors: sensorStatuses(parts).map(sensorReport),
    sources: parts.sources.map((source) => {
      const { source: name, state, error } = source.status();
      return { source: name, state, error: error?.slice(0, 100) ?? null };
    }),
    quarantined: stats.losses.slice(0, losses_told_max),
    disk: diskSpace(parts.data_dir),
    certificates: [...parts.certificates()],
  };
}

function sensorReport(sensor: SensorStatus): Heartbeat['sensors'][number] {
  const { sensor_id, name, profile, kind, last_seen_at, offline_since, silent_after_s } = sensor;
  const { battery_pct, faults } = sensor;
  return {
    ...{ sensor_id, name, profile, kind, last_seen_at, offline_since, silent_after_s },
    ...(battery_pct === null ? {} : { battery_pct }),
    ...(Object.keys(faults).length === 0 ? {} : { faults }),
  };
}

/** What an account that is not root may still fill. */
function diskSpace(data_dir: string): { free_bytes: number; total_bytes: number } {
  const { bavail, blocks, bsize } = statfsSync(data_dir);
  return { free_bytes: bavail * bsize, total_bytes: blocks * bsize };
}

function sensorStatuses({ registry, pipeline }: StatusParts): SensorStatus[] {
  return registry.list().map((paired) => sensorStatus(paired, pipeline));
}

export function sensorStatus(
  { sensor, profile, address }: PairedSensor,
  pipeline: Pipeline | null,
): SensorStatus {
  return {
    sensor_id: sensor.sensor_id,
    name: sensor.name,
    profile: profile.name,
    source: sensor.source,
    address,
    kind: kindOf(profile),
    silent_after_s: profile.silent_after_s,
    ...(pipeline?.sighting(sensor.sensor_id) ?? unseen),
  };
}
