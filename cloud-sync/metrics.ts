/** Counters and gauges of the service in Prometheus text format; no label is unbounded. */
import type { Labels, Metric, Sample as NamedSample } from '../shared/runtime/prometheus.ts';
import { renderMetrics } from '../shared/runtime/prometheus.ts';

export const hqMetrics = {
  hq_http_requests_total: { type: 'counter', help: 'Requests answered, by route and status.' },
  hq_batches_total: { type: 'counter', help: 'Batches answered with 200.' },
  hq_readings_accepted_total: { type: 'counter', help: 'Readings stored for the first time.' },
  hq_readings_duplicate_total: { type: 'counter', help: 'Readings that HQ had already.' },
  hq_readings_rejected_total: { type: 'counter', help: 'Readings refused, by code.' },
  hq_heartbeats_total: { type: 'counter', help: 'Heartbeats stored.' },
  hq_gateways_enrolled_total: { type: 'counter', help: 'Enrolments answered with 200.' },
  hq_rollup_hourly_recomputed_total: { type: 'counter', help: 'Store hours recomputed from raw.' },
  hq_rollup_daily_folded_total: { type: 'counter', help: 'Store days folded from hours.' },
  hq_rollup_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last rollup pass that worked.',
  },
  hq_alerts_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last alert pass that worked.',
  },
  hq_alerts_firing: { type: 'gauge', help: 'Alerts that fire, by severity.' },
  hq_gateways: {
    type: 'gauge',
    help: 'Gateways by state: online, late (delivering a backlog), unknown (not heard of).',
  },
  hq_notifications_total: { type: 'counter', help: 'Messages tried, by kind and outcome.' },
  hq_notifications_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last pass that told people of alerts and worked.',
  },
  hq_database_connections: { type: 'gauge', help: 'Connections of the pool, by state.' },
  hq_requests_in_flight: {
    type: 'gauge',
    help: 'Requests being answered or waiting for their turn, by lane.',
  },
  hq_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the process.' },
} as const satisfies Record<string, Metric>;

type MetricName = keyof typeof hqMetrics;
export type Sample = NamedSample<MetricName>;

export class Metrics {
  readonly #counters = new Map<string, { name: MetricName; labels: Labels; value: number }>();

  add(name: MetricName, value: number, labels: Labels = {}): void {
    const key = name + JSON.stringify(labels);
    const counter = this.#counters.get(key) ?? { name, labels, value: 0 };
    counter.value += value;
    this.#counters.set(key, counter);
  }

  /** @param gauges sampled now. */
  render(gauges: readonly Sample[]): string {
    return renderMetrics(hqMetrics, [...this.#counters.values(), ...gauges]);
  }
}
