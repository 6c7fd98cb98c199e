import { describe, expect, it } from 'vitest';
import type { WatchedGateway, WatchedSensor } from '../../../cloud-sync/health/alert-rules.ts';
import { decideAlerts } from '../../../cloud-sync/health/alert-rules.ts';

const now = Date.UTC(2026, 10, 21, 12);
const s = 1000;

function gateway(changes: Partial<WatchedGateway> = {}): WatchedGateway {
  return {
    gateway_id: 'g1',
    store_id: 's1',
    name: 'store-pc',
    enrolled_at: now - 86_400 * s,
    heartbeat_at: now - 30 * s,
    delivered_at: now - 30 * s,
    ...changes,
  };
}

function sensor(changes: Partial<WatchedSensor> = {}): WatchedSensor {
  return {
    id: 'm1',
    sensor_id: 'front-door',
    store_id: 's1',
    gateway_id: 'g1',
    last_seen_at: now - 60 * s,
    known_since: now - 86_400 * s,
    silent_after_s: 600,
    ...changes,
  };
}

function decide(seen: Partial<Parameters<typeof decideAlerts>[0]>) {
  const { raise, resolve } = decideAlerts({
    gateways: [gateway()],
    sensors: [],
    traffic: [],
    open: [],
    now,
    watching_since: 0,
    heartbeat_grace_s: 180,
    ...seen,
  });
  return { raise: raise.map(({ dedup_key }) => dedup_key), resolve };
}

describe('alert rules', () => {
  it('say nothing while everything speaks', () => {
    expect(decide({ sensors: [sensor()] })).toEqual({ raise: [], resolve: [] });
  });

  it('raise gateway_offline after the grace, not at it', () => {
    const at = (age_s: number) =>
      decide({ gateways: [gateway({ heartbeat_at: now - age_s * s })] });
    expect(at(180).raise).toEqual([]);
    expect(at(181).raise).toEqual(['gateway_offline:g1']);
  });

  it('watch a gateway that enrolled and never spoke', () => {
    const silent = { heartbeat_at: null, delivered_at: null };
    expect(decide({ gateways: [gateway(silent)] }).raise).toEqual(['gateway_offline:g1']);
    const fresh = gateway({ ...silent, enrolled_at: now - 60 * s });
    expect(decide({ gateways: [fresh] }).raise).toEqual([]);
  });

  it('do not raise again what is open, and resolve it when the heartbeat is back', () => {
    const open = ['gateway_offline:g1'];
    const away = gateway({ heartbeat_at: now - 3600 * s });
    expect(decide({ gateways: [away], open })).toEqual({ raise: [], resolve: [] });
    expect(decide({ open })).toEqual({ raise: [], resolve: open });
  });

  it('blame no gateway for the time in which HQ itself was down', () => {
    const away = gateway({ heartbeat_at: now - 3600 * s });
    const open = ['gateway_offline:g1', 'sensor_silent:m1'];
    const just_started = { gateways: [away], sensors: [sensor()], watching_since: now - 10 * s };
    expect(decide(just_started)).toEqual({ raise: [], resolve: [] });
    expect(decide({ ...just_started, open })).toEqual({ raise: [], resolve: [] });
    expect(decide({ ...just_started, watching_since: now - 181 * s }).raise).toEqual([
      'gateway_offline:g1',
    ]);
  });

  it('judge a sensor up to what its gateway delivered', () => {
    const quiet = sensor({ last_seen_at: now - 700 * s });
    expect(decide({ sensors: [quiet] }).raise).toEqual(['sensor_silent:m1']);
    const behind = gateway({ delivered_at: now - 650 * s });
    expect(decide({ gateways: [behind], sensors: [quiet] }).raise).toEqual([]);
  });

  it('hold the alerts of sensors whose gateway is offline', () => {
    const away = gateway({ heartbeat_at: now - 3600 * s });
    const quiet = sensor({ last_seen_at: now - 7200 * s });
    expect(decide({ gateways: [away], sensors: [quiet] }).raise).toEqual(['gateway_offline:g1']);
    const open = ['gateway_offline:g1', 'sensor_silent:m1'];
    expect(decide({ gateways: [away], sensors: [sensor()], open }).resolve).toEqual([]);
  });

  it('count the silence of a sensor that never spoke from when HQ heard of it', () => {
    const fresh = sensor({ last_seen_at: null, known_since: now - 60 * s });
    expect(decide({ sensors: [fresh] }).raise).toEqual([]);
    const old = sensor({ last_seen_at: null });
    expect(decide({ sensors: [old] }).raise).toEqual(['sensor_silent:m1']);
  });

  it('resolve what nobody watches any more', () => {
    const open = ['gateway_offline:g9', 'sensor_silent:m9'];
    expect(decide({ open }).resolve).toEqual(open);
  });

  describe('about a sensor that counts nobody', () => {
    const usual = [{ start: now - 3600 * s, end: now, people: 30 }];
    const nobody_since = (minutes: number) => ({
      sensors: [sensor()],
      gateways: [gateway({ delivered_at: now })],
      traffic: [{ id: 'm1', last_counted_at: now - minutes * 60 * s, usual }],
    });
    const blind = ['sensor_blind:m1'];

    it('wait until twenty people are missing, however long that takes', () => {
      expect(decide(nobody_since(39)).raise).toEqual([]);
      expect(decide(nobody_since(40)).raise).toEqual(blind);
    });
    it('say nothing more of one that is silent', () => {
      const sensors = [sensor({ last_seen_at: now - 3600 * s })];
      expect(decide({ ...nobody_since(60), sensors }).raise).toEqual(['sensor_silent:m1']);
    });
    it('leave it as it was behind a gateway that is away, and when nobody looked', () => {
      const gateways = [gateway({ heartbeat_at: now - 3600 * s })];
      expect(decide({ ...nobody_since(0), gateways, open: blind }).resolve).toEqual([]);
      expect(decide({ ...nobody_since(0), traffic: null, open: blind }).resolve).toEqual([]);
      expect(decide({ ...nobody_since(0), open: blind }).resolve).toEqual(blind);
    });
  });
});
