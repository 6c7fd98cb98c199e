/** Text format of Prometheus, 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats. Pure. */

export interface Metric {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

export type Labels = Readonly<Record<string, string>>;

export interface Sample<Name extends string = string> {
  readonly name: Name;
  readonly labels?: Labels;
  readonly value: number;
}

export const metrics_content_type = 'text/plain; version=0.0.4; charset=utf-8';

/** Every metric of the catalogue in its order, with the samples that there are. */
export function renderMetrics<Name extends string>(
  catalogue: Readonly<Record<Name, Metric>>,
  samples: readonly Sample<Name>[],
): string {
  const blocks = (Object.entries(catalogue) as [Name, Metric][]).map(([name, metric]) => {
    const lines = samples
      .filter((sample) => sample.name === name)
      .map((sample) => `${name}${renderLabels(sample.labels ?? {})} ${sample.value}`);
    // A counter nobody touched is 0, not absent: rules may compare with it.
    if (lines.length === 0 && metric.type === 'counter') lines.push(`${name} 0`);
    return [`# HELP ${name} ${metric.help}`, `# TYPE ${name} ${metric.type}`, ...lines].join('\n');
  });
  return `${blocks.join('\n')}\n`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
