import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from '../../../cloud-sync/metrics.ts';

const file = path.resolve(import.meta.dirname, '../../../../monitoring/prometheus-alerts.yml');

it('the rules for Prometheus name only metrics that HQ has', () => {
  const { groups } = parse(readFileSync(file, 'utf8')) as {
    groups: { rules: { expr: string }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules.map(({ expr }) => expr));
  const named = rules.flatMap((expr) => expr.match(/hq_[a-z_]+/g) ?? []);
  const known = [...new Metrics().render([]).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});
