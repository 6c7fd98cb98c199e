import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hqMetrics, Metrics } from '../../../cloud-sync/metrics.ts';
import { gatewayMetrics, renderGatewayMetrics } from '../../../gateway/local/gateway-metrics.ts';
import { promtool, testWith } from '../../support/debian-part.ts';

const folder = path.resolve(import.meta.dirname, '../../../../monitoring');
const rules_file = path.join(folder, 'prometheus-alerts.yml');
const known = [...Object.keys(hqMetrics), ...Object.keys(gatewayMetrics)];

/** Names of our metrics in an expression of PromQL. */
const namesIn = (expr: string) => expr.match(/\b(hq|gateway)_[a-z_]+/g) ?? [];

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string };
}
const rules = () =>
  (parse(readFileSync(rules_file, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );

/** Every query of every dashboard. */
const panels = () =>
  readdirSync(path.join(folder, 'grafana')).flatMap((file) => {
    const text = readFileSync(path.join(folder, 'grafana', file), 'utf8');
    return [...text.matchAll(/"(?:expr|query)": ("(?:[^"\\]|\\.)*")/g)].map(
      ([, expr = '""']) => JSON.parse(expr) as string,
    );
  });

/** A gateway with one of everything. */
const metricsOfGateway = () =>
  renderGatewayMetrics(
    {
      version: '0.1.0',
      started_at: 1_000,
      now: 100_000,
      durability: 'degraded',
      buffer: {
        buffered: 3,
        last_sequence: 8,
        oldest_unsent_received_at: 40_000,
        bytes: 4_096,
        coalesced: 5,
        quarantined: [{ source: 'a "b"', reason: 'checksum', count: 2 }],
      },
      sources: [{ source: 'sensors', state: 'running', frames: 12, refused: 1 }],
      sensors: [{ sensor_id: 'front-door', last_seen_at: 98_500 }],
      ignored: { duplicate: 4 },
      uplink: { enrolled: null, sync: null, clock_skew_ms: -1_500 },
    },
    { resident_bytes: 7 },
  );

describe('for Prometheus', () => {
  it('every rule and every panel names only metrics that there are', () => {
    const used = [...rules().map(({ expr }) => expr), ...panels()].flatMap(namesIn);
    expect(readdirSync(path.join(folder, 'grafana'))).toHaveLength(2);
    expect(used.length).toBeGreaterThan(35);
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('every metric of the gateway stands in a panel or a rule', () => {
    const texts = readdirSync(path.join(folder, 'grafana'))
      .map((file) => readFileSync(path.join(folder, 'grafana', file), 'utf8'))
      .concat(readFileSync(rules_file, 'utf8'));
    const unused = Object.keys(gatewayMetrics).filter(
      (name) => !texts.some((one) => one.includes(name)),
    );
    // What tells machines apart, not how they are.
    expect(unused).toEqual([
      'gateway_start_timestamp_seconds',
      'gateway_enrolled',
      'gateway_sync_last_delivered_timestamp_seconds',
    ]);
  });

  it('the gateway’s status becomes numbers with their units', () => {
    const lines = metricsOfGateway().split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'gateway_commits_failing 1',
        'gateway_oldest_unsent_seconds 60',
        'gateway_readings_stored_total 8',
        'gateway_quarantined_total{source="a \\"b\\"",reason="checksum"} 2',
        'gateway_source_up{source="sensors"} 1',
        'gateway_sensor_last_seen_timestamp_seconds{sensor="front-door"} 98.5',
        'gateway_clock_skew_seconds -1.5',
      ]),
    );
  });

  testWith(promtool, 'promtool finds nothing to say about both sides’ metrics', async () => {
    const hq = new Metrics();
    hq.add('hq_http_requests_total', 1, { route: '/v1/batches', status: '200' });
    for (const text of [metricsOfGateway(), hq.render([])]) {
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
        input: text,
        encoding: 'utf8',
      });
      expect([stdout + stderr, status]).toEqual(['', 0]);
    }
  });

  testWith(promtool, 'every panel asks what Prometheus can answer', async () => {
    const scratch = mkdtempSync(path.join(tmpdir(), 'footbridge-panels-'));
    try {
      const asked = panels()
        // What Grafana fills in, and the lists behind its choices, are no PromQL.
        .map((expr) => expr.replaceAll('$__rate_interval', '5m'))
        .filter((expr) => namesIn(expr).length > 0 && !expr.startsWith('label_values('));
      expect(asked.length).toBeGreaterThan(15);
      const file = path.join(scratch, 'panels.yml');
      const recorded = asked.map((expr, i) => ({ record: `panel:${i}`, expr }));
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'rules', file], {
        encoding: 'utf8',
      });
      expect([stdout + stderr, status]).toEqual([expect.stringContaining('SUCCESS'), 0]);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  testWith(promtool, 'the rules fire when they should, as promtool plays them', async () => {
    const scratch = mkdtempSync(path.join(tmpdir(), 'footbridge-rules-'));
    try {
      const tests = path.join(scratch, 'tests.yml');
      writeFileSync(tests, playedRules());
      execFileSync('promtool', ['check', 'rules', rules_file], { stdio: 'pipe' });
      const { stdout, stderr, status } = spawnSync('promtool', ['test', 'rules', tests], {
        encoding: 'utf8',
      });
      expect([stdout + stderr, status]).toEqual([expect.stringContaining('SUCCESS'), 0]);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

/** For each rule, series that break what it watches, and the same in good order. */
const series: Record<string, { bad: [string, string][]; good: [string, string][] }> = {
  FootbridgeHqDown: one('up{job="footbridge-hq"}', '0x20', '1x20'),
  FootbridgeRollupsStuck: one('hq_rollup_seconds_since_success', '301x20', '5x20'),
  FootbridgeWatchStuck: one('hq_alerts_seconds_since_success', '301x20', '5x20'),
  FootbridgeReadingsRejected: one('hq_readings_rejected_total', '0+1x20', '7x20'),
  FootbridgeErrorAnswers: one('hq_http_requests_total{status="500"}', '0+60x20', '7x20'),
  // As where a thousand stores come back: what is refused comes again. Reports alone do not matter.
  FootbridgeHqOverloaded: {
    bad: answers({ '/v1/batches 200': 80, '/v1/heartbeats 200': 5, '/v1/batches 429': 15 }),
    good: answers({ '/v1/batches 200': 95, '/v1/batches 429': 5, '/v1/reports/hours 429': 500 }),
  },
  FootbridgeConnectionsWaiting: one('hq_database_connections{state="waiting"}', '1x20', '0x20'),
  FootbridgeNotificationsStuck: one('hq_notifications_seconds_since_success', '301x20', '5x20'),
  FootbridgeMessagesFailed: one('hq_notifications_total{outcome="failed"}', '0+1x20', '7x20'),
  FootbridgeGatewayDown: one('up{job="footbridge-gateway"}', '0x20', '1x20'),
  FootbridgeGatewayDiskFails: one('gateway_commits_failing', '1x20', '0x20'),
  FootbridgeGatewayBehind: one('gateway_oldest_unsent_seconds', '3601x20', '60x20'),
  FootbridgeSourceDown: one('gateway_source_up{source="a"}', '0x20', '1x20'),
  FootbridgeGatewayClock: one('gateway_clock_skew_seconds', '-61x20', '59x20'),
};

function one(name: string, bad: string, good: string) {
  const at = (values: string): [string, string][] => [
    [name, /^-?\d+x/.test(values) ? values.replace('x', '+0x') : values],
  ];
  return { bad: at(bad), good: at(good) };
}

/** @param rates requests a minute by route and status. */
function answers(rates: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(rates).map(([what, rate]) => {
    const [route, status] = what.split(' ');
    return [`hq_http_requests_total{route="${route}", status="${status}"}`, `0+${rate}x20`];
  });
}

function playedRules(): string {
  const missing = rules().filter(({ alert }) => series[alert] === undefined);
  if (missing.length > 0) throw new Error(`no series for ${missing.map(({ alert }) => alert)}`);
  const tests = Object.entries(series).flatMap(([alertname, { bad, good }]) =>
    [bad, good].map((input) => ({
      interval: '1m',
      input_series: input.map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alertname}", alertstate="firing"}) or vector(0)`,
          eval_time: '15m',
          exp_samples: [{ labels: '{}', value: input === bad ? 1 : 0 }],
        },
      ],
    })),
  );
  return JSON.stringify({ rule_files: [rules_file], evaluation_interval: '1m', tests });
}
