import { describe, expect, it } from 'vitest';
import type { WatchedSensor } from '../../../cloud-sync/health/alert-rules.ts';
import { judgeDevices } from '../../../cloud-sync/health/device-rules.ts';
import type { Line } from '../../../cloud-sync/health/verdicts.ts';

function judge(
  changes: Partial<WatchedSensor>,
  { line = 'online', open = [] }: { line?: Line; open?: string[] } = {},
) {
  const sensor: WatchedSensor = {
    id: 'm1',
    sensor_id: 'front-door',
    store_id: 's1',
    gateway_id: 'g1',
    last_seen_at: 0,
    known_since: 0,
    silent_after_s: 600,
    offline_since: null,
    battery_pct: null,
    faults: null,
    ...changes,
  };
  const { findings, unknown } = judgeDevices([sensor], new Map([['g1', line]]), new Set(open));
  return { found: findings.map(({ title }) => title), unknown: [...unknown] };
}

describe('devices that speak of themselves', () => {
  it('are low under a fifth of their battery, until a quarter is there again', () => {
    const low = ['Battery of sensor front-door is at 19 %'];
    expect(judge({ battery_pct: 20 }).found).toEqual([]);
    expect(judge({ battery_pct: 19 }).found).toEqual(low);
    const open = ['battery_low:m1'];
    expect(judge({ battery_pct: 24 }, { open }).found).toHaveLength(1);
    expect(judge({ battery_pct: 25 }, { open }).found).toEqual([]);
  });

  it('name the faults that they have, and not those that they had', () => {
    const faults = { too_dark: true, stuck: false, misaligned: true };
    expect(judge({ faults }).found).toEqual([
      'Sensor front-door reports a fault: misaligned, too dark',
    ]);
    expect(judge({ faults: { stuck: false } }).found).toEqual([]);
  });

  it('are well when another device, which says nothing, has taken their place', () => {
    const open = ['battery_low:m1', 'device_fault:m1'];
    expect(judge({}, { open })).toEqual({ found: [], unknown: [] });
  });

  it('are unknown while their gateway is', () => {
    const { found, unknown } = judge(
      { battery_pct: 3, faults: { stuck: true } },
      { line: 'unknown' },
    );
    expect(found).toEqual([]);
    expect(unknown).toEqual(['battery_low:m1', 'device_fault:m1']);
  });
});
