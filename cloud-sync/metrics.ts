/** Counters and gauges of the service in Prometheus text format; no label is unbounded. */

interface Metric {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

const metrics = {
  hq_http_requests_total: { type: 'counter', help: 'Requests answered, by route and status.' },
  hq_batches_total: { type: 'counter', help: 'Batches answered with 200.' },
  hq_readings_accepted_total: { type: 'counter', help: 'Readings stored for the first time.' },
  hq_readings_duplicate_total: { type: 'counter', help: 'Readings that HQ had already.' },
  hq_readings_rejected_total: { type: 'counter', help: 'Readings refused, by code.' },
  hq_heartbeats_total: { type: 'counter', help: 'Heartbeats stored.' },
  hq_gateways_enrolled_total: { type: 'counter', help: 'Enrolments answered with 200.' },
  hq_rollup_hours_recomputed_total: { type: 'counter', help: 'Store hours recomputed from raw.' },
  hq_rollup_days_folded_total: { type: 'counter', help: 'Store days folded from hours.' },
  hq_rollup_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last rollup pass that worked.',
  },
  hq_alerts_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last alert pass that worked.',
  },
  hq_notifications_total: { type: 'counter', help: 'Messages tried, by kind and outcome.' },
  hq_notifications_seconds_since_success: {
    type: 'gauge',
    help: 'Age of the last pass that told people of alerts and worked.',
  },
  hq_database_connections: { type: 'gauge', help: 'Connections of the pool, by state.' },
  hq_requests_in_flight: { type: 'gauge', help: 'Requests of gateways being answered, by lane.' },
  hq_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the process.' },
} as const satisfies Record<string, Metric>;

type MetricName = keyof typeof metrics;
type Labels = Readonly<Record<string, string>>;
export interface Sample {
  readonly name: MetricName;
  readonly labels?: Labels;
  readonly value: number;
}

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
    const samples = [...this.#counters.values(), ...gauges];
    const blocks = (Object.entries(metrics) as [MetricName, Metric][]).map(([name, metric]) => {
      const lines = samples
        .filter((sample) => sample.name === name)
        .map((sample) => `${name}${renderLabels(sample.labels ?? {})} ${sample.value}`);
      // A counter nobody touched is 0, not absent: rules may compare with it.
      if (lines.length === 0 && metric.type === 'counter') lines.push(`${name} 0`);
      return [`# HELP ${name} ${metric.help}`, `# TYPE ${name} ${metric.type}`, ...lines].join(
        '\n',
      );
    });
    return `${blocks.join('\n')}\n`;
  }
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
