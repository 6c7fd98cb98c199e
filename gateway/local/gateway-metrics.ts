/** What Prometheus may ask a gateway; pure. Labels are names of the configuration and of pairing. */
import type { Metric, Sample } from '../../shared/runtime/prometheus.ts';
import { renderMetrics } from '../../shared/runtime/prometheus.ts';
import type { BufferStats } from '../buffer/entry.ts';
import type { SourceStatus } from '../sources/source.ts';
import type { GatewayStatus, SensorStatus } from '../status.ts';

export const gatewayMetrics = {
  gateway_info: { type: 'gauge', help: 'Always 1; its label says which version runs.' },
  gateway_start_timestamp_seconds: { type: 'gauge', help: 'When the daemon started.' },
  gateway_enrolled: { type: 'gauge', help: '1 once the gateway has a credential of HQ.' },
  gateway_commits_failing: { type: 'gauge', help: '1 while the disk takes no commits.' },
  gateway_readings_stored_total: {
    type: 'counter',
    help: 'Readings ever committed to this buffer; it counts anew in a new one.',
  },
  gateway_readings_coalesced_total: {
    type: 'counter',
    help: 'Readings that were added to others of their quarter hour, because the quota was near.',
  },
  gateway_readings_buffered: { type: 'gauge', help: 'Readings that HQ has not settled.' },
  gateway_oldest_unsent_seconds: { type: 'gauge', help: 'Age of the oldest of them; 0 for none.' },
  gateway_buffer_bytes: { type: 'gauge', help: 'Size of the buffer on disk.' },
  gateway_quarantined_total: {
    type: 'counter',
    help: 'Frames and readings in quarantine, by source and reason.',
  },
  gateway_ignored_frames_total: {
    type: 'counter',
    help: 'Frames understood that carried no people, by reason.',
  },
  gateway_source_up: { type: 'gauge', help: '1 while a source runs.' },
  gateway_source_frames_total: { type: 'counter', help: 'Frames received, by source.' },
  gateway_source_refused_total: { type: 'counter', help: 'Devices turned away, by source.' },
  gateway_sensor_last_seen_timestamp_seconds: {
    type: 'gauge',
    help: 'When a sensor last spoke; absent before its first frame.',
  },
  gateway_sync_last_delivered_timestamp_seconds: {
    type: 'gauge',
    help: 'When HQ last settled a batch; absent before the first.',
  },
  gateway_clock_skew_seconds: { type: 'gauge', help: 'How far its clock is ahead of HQ’s.' },
  gateway_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the process.' },
} as const satisfies Record<string, Metric>;

type Name = keyof typeof gatewayMetrics;

/** The part of a status that is numbers. */
export interface Measured
  extends Pick<GatewayStatus, 'version' | 'started_at' | 'now' | 'durability' | 'ignored'> {
  readonly buffer: Pick<
    BufferStats,
    'last_sequence' | 'buffered' | 'coalesced' | 'oldest_unsent_received_at' | 'bytes'
  > & { readonly quarantined: readonly { source: string; reason: string; count: number }[] };
  readonly sources: readonly Pick<SourceStatus, 'source' | 'state' | 'frames' | 'refused'>[];
  readonly sensors: readonly Pick<SensorStatus, 'sensor_id' | 'last_seen_at'>[];
  readonly uplink: {
    readonly enrolled: object | null;
    readonly sync: { readonly last_delivered_at: number | null } | null;
    readonly clock_skew_ms: number | null;
  };
}

export function renderGatewayMetrics(
  status: Measured,
  process: { readonly resident_bytes: number },
): string {
  const { buffer, uplink, now } = status;
  const at = (name: Name, ms: number | null | undefined): Sample<Name>[] =>
    ms === null || ms === undefined ? [] : [{ name, value: ms / 1000 }];
  const oldest = buffer.oldest_unsent_received_at;
  return renderMetrics(gatewayMetrics, [
    { name: 'gateway_info', labels: { version: status.version }, value: 1 },
    ...at('gateway_start_timestamp_seconds', status.started_at),
    { name: 'gateway_enrolled', value: uplink.enrolled === null ? 0 : 1 },
    { name: 'gateway_commits_failing', value: status.durability === 'degraded' ? 1 : 0 },
    { name: 'gateway_readings_stored_total', value: buffer.last_sequence },
    { name: 'gateway_readings_coalesced_total', value: buffer.coalesced },
    { name: 'gateway_readings_buffered', value: buffer.buffered },
    ...at('gateway_oldest_unsent_seconds', oldest === null ? 0 : Math.max(0, now - oldest)),
    { name: 'gateway_buffer_bytes', value: buffer.bytes },
    ...buffer.quarantined.map(({ source, reason, count }): Sample<Name> => {
      return { name: 'gateway_quarantined_total', labels: { source, reason }, value: count };
    }),
    ...Object.entries(status.ignored).map(([reason, value]): Sample<Name> => {
      return { name: 'gateway_ignored_frames_total', labels: { reason }, value };
    }),
    ...status.sources.flatMap(ofSource),
    ...status.sensors.flatMap(({ sensor_id: sensor, last_seen_at }) =>
      at('gateway_sensor_last_seen_timestamp_seconds', last_seen_at).map((one) => ({
        ...one,
        labels: { sensor },
      })),
    ),
    ...at('gateway_sync_last_delivered_timestamp_seconds', uplink.sync?.last_delivered_at),
    ...at('gateway_clock_skew_seconds', uplink.clock_skew_ms),
    { name: 'gateway_resident_memory_bytes', value: process.resident_bytes },
  ]);
}

function ofSource(status: Measured['sources'][number]): Sample<Name>[] {
  const labels = { source: status.source };
  return [
    { name: 'gateway_source_up', labels, value: status.state === 'running' ? 1 : 0 },
    { name: 'gateway_source_frames_total', labels, value: status.frames },
    { name: 'gateway_source_refused_total', labels, value: status.refused },
  ];
}
