import { describe, expect, it } from 'vitest';
import type { WatchedGateway, WatchedSensor } from '../../../cloud-sync/health/alert-rules.ts';
import { judgeSilence } from '../../../cloud-sync/health/alert-rules.ts';
import { dedupKey } from '../../../cloud-sync/health/alert-types.ts';

const now = Date.UTC(2026, 10, 21, 12);
const s = 1000;

function gateway(changes: Partial<WatchedGateway> = {}): WatchedGateway {
  return {
    gateway_id: 'g1',
    store_id: 's1',
    name: 'store-pc',
    enrolled_at: now - 86_400 * s,
    heartbeat_at: now - 30 * s,
    sent_at: now - 30 * s,
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
    battery_pct: null,
    faults: null,
    offline_since: null,
    ...changes,
  };
}

function judge(seen: Partial<Parameters<typeof judgeSilence>[0]>) {
  const { findings, unknown } = judgeSilence({
    stores: [{ store_id: 's1', trading_since: 0, worked_on: false }],
    gateways: [gateway()],
    sensors: [],
    traffic: [],
    now,
    watching_since: 0,
    heartbeat_grace_s: 180,
    ...seen,
  });
  return {
    holding: findings.filter(({ late }) => late !== true).map(dedupKey),
    late: findings.filter(({ late }) => late === true).map(dedupKey),
    unknown: [...unknown],
  };
}

describe('silence', () => {
  it('is nothing while everything speaks', () => {
    expect(judge({ sensors: [sensor()] })).toEqual({ holding: [], late: [], unknown: [] });
  });

  it('of a gateway begins after the grace, not at it', () => {
    const at = (age_s: number) => judge({ gateways: [gateway({ heartbeat_at: now - age_s * s })] });
    expect(at(180).holding).toEqual([]);
    expect(at(181).holding).toEqual(['gateway_offline:g1']);
  });

  it('is also that of a gateway that enrolled and never spoke', () => {
    const silent = { heartbeat_at: null, sent_at: null, delivered_at: null };
    expect(judge({ gateways: [gateway(silent)] }).holding).toEqual(['gateway_offline:g1']);
    const fresh = gateway({ ...silent, enrolled_at: now - 60 * s });
    expect(judge({ gateways: [fresh] }).holding).toEqual([]);
  });

  it('is blamed on no gateway while HQ itself was down', () => {
    const away = gateway({ heartbeat_at: now - 3600 * s });
    const just_started = { gateways: [away], sensors: [sensor()], watching_since: now - 10 * s };
    expect(judge(just_started)).toEqual({
      holding: [],
      late: [],
      unknown: ['gateway_offline:g1', 'sensor_silent:m1', 'sensor_blind:m1'],
    });
    expect(judge({ ...just_started, watching_since: now - 181 * s }).holding).toEqual([
      'gateway_offline:g1',
    ]);
  });

  it('of a sensor that is said to be gone is not waited for, but for a restart', () => {
    const gone = (ago_s: number) => sensor({ offline_since: now - ago_s * s });
    const heard_all = gateway({ delivered_at: now });
    const seen = (ago_s: number) => judge({ gateways: [heard_all], sensors: [gone(ago_s)] });
    expect(seen(120).holding).toEqual([]);
    expect(seen(121).holding).toEqual(['sensor_silent:m1']);
    const just_open = [{ store_id: 's1', trading_since: now - 60 * s, worked_on: false }];
    const all_night = { gateways: [heard_all], sensors: [gone(30_000)], stores: just_open };
    expect(judge(all_night).holding).toEqual([]);
  });

  it('of a sensor is judged up to what its gateway delivered', () => {
    const quiet = sensor({ last_seen_at: now - 700 * s });
    expect(judge({ sensors: [quiet] }).holding).toEqual(['sensor_silent:m1']);
    const behind = gateway({ delivered_at: now - 650 * s });
    expect(judge({ gateways: [behind], sensors: [quiet] }).holding).toEqual([]);
  });

  it('of a sensor is history where its gateway delivers what is over a quarter hour old', () => {
    const quiet = sensor({ last_seen_at: now - 7200 * s });
    const catching_up = gateway({ delivered_at: now - 1800 * s });
    expect(judge({ gateways: [catching_up], sensors: [quiet] })).toEqual({
      holding: [],
      late: ['sensor_silent:m1'],
      unknown: ['sensor_blind:m1'],
    });
  });

  it('of a sensor is unknown while its gateway is offline', () => {
    const away = gateway({ heartbeat_at: now - 3600 * s });
    const quiet = sensor({ last_seen_at: now - 7200 * s });
    const judged = judge({ gateways: [away], sensors: [quiet] });
    expect(judged.holding).toEqual(['gateway_offline:g1']);
    expect(judged.unknown).toEqual(['sensor_silent:m1', 'sensor_blind:m1']);
  });

  it('of a sensor that never spoke counts from when HQ heard of it', () => {
    const fresh = sensor({ last_seen_at: null, known_since: now - 60 * s });
    expect(judge({ sensors: [fresh] }).holding).toEqual([]);
    const old = sensor({ last_seen_at: null });
    expect(judge({ sensors: [old] }).holding).toEqual(['sensor_silent:m1']);
  });

  describe('of a store that is closed or worked on', () => {
    const away = gateway({ heartbeat_at: now - 3600 * s });
    const quiet = sensor({ last_seen_at: now - 7200 * s });
    const stores = (trading_since: number | null) => [
      { store_id: 's1', trading_since, worked_on: false },
    ];

    it('is nobody’s fault, and ends no alert', () => {
      const judged = judge({ gateways: [away], sensors: [quiet], stores: stores(null) });
      expect(judged.holding).toEqual([]);
      expect(judged.unknown).toEqual(['gateway_offline:g1', 'sensor_silent:m1', 'sensor_blind:m1']);
      expect(judge({ sensors: [quiet], stores: stores(null) }).holding).toEqual([]);
    });

    it('counts from when it opens', () => {
      const opened = (age_s: number) => ({
        gateways: [away],
        sensors: [quiet],
        stores: stores(now - age_s * s),
      });
      expect(judge(opened(180)).holding).toEqual([]);
      expect(judge(opened(181)).holding).toEqual(['gateway_offline:g1']);
      const on = { gateways: [gateway({ delivered_at: now })], sensors: [quiet] };
      expect(judge({ ...on, stores: stores(now - 600 * s) })).toMatchObject({
        holding: [],
        unknown: ['sensor_silent:m1'],
      });
      expect(judge({ ...on, stores: stores(now - 601 * s) }).holding).toEqual(['sensor_silent:m1']);
    });
  });

  describe('of people, at a sensor that speaks', () => {
    const usual = [{ start: now - 3600 * s, end: now, people: 30 }];
    const nobody_since = (minutes: number) => ({
      sensors: [sensor()],
      gateways: [gateway({ delivered_at: now })],
      traffic: [{ id: 'm1', last_counted_at: now - minutes * 60 * s, usual }],
    });
    const blind = ['sensor_blind:m1'];

    it('is a fault once twenty are missing, however long that takes', () => {
      expect(judge(nobody_since(39)).holding).toEqual([]);
      expect(judge(nobody_since(40)).holding).toEqual(blind);
    });
    it('is not asked about where the sensor is silent', () => {
      const sensors = [sensor({ last_seen_at: now - 3600 * s })];
      expect(judge({ ...nobody_since(60), sensors })).toMatchObject({
        holding: ['sensor_silent:m1'],
        unknown: blind,
      });
    });
    it('is unknown behind a gateway that is away', () => {
      const gateways = [gateway({ heartbeat_at: now - 3600 * s })];
      expect(judge({ ...nobody_since(60), gateways }).unknown).toContain('sensor_blind:m1');
      expect(judge(nobody_since(0)).unknown).toEqual([]);
    });
  });
});
