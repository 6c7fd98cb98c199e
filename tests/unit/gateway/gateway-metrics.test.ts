import { expect, test } from 'vitest';
import { renderGatewayMetrics } from '../../../gateway/local/gateway-metrics.ts';

const buffer = { last_sequence: 0, buffered: 0, oldest_unsent_received_at: null, bytes: 0 };
const quiet = { enrolled: null, sync: null, clock_skew_ms: null };

test.each([
  ['fsync', 0],
  ['eco', 0],
  ['degraded', 1],
] as const)('commits of a buffer that is %s count as failing: %i', (durability, failing) => {
  const text = renderGatewayMetrics(
    {
      ...{ version: '1', started_at: 0, now: 0, durability, ignored: {}, sources: [], sensors: [] },
      buffer: { ...buffer, coalesced: 0, quarantined: [] },
      uplink: quiet,
    },
    { resident_bytes: 1 },
  );
  expect(text).toContain(`gateway_commits_failing ${failing}\n`);
});
