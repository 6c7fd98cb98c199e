/**
 * Which gateways and sensors have gone quiet; pure.
 *
 * A gateway is judged by HQ's clock, because its silence is what HQ sees. A sensor is judged by what
 * its gateway has delivered: behind a cut line it is unknown, not silent, so a gateway that is
 * offline holds the alerts of its sensors as they are. Silence counts while the store trades:
 * whoever switches everything off at night is not called at night.
 */
import { heartbeat_interval_s } from '../../shared/wire/heartbeat.ts';
import type { Finding } from './alert-types.ts';
import { dedupKey } from './alert-types.ts';
import type { UsualHour } from './expected-traffic.ts';
import { blind_after_people, expectedPeople } from './expected-traffic.ts';
import type { Judgement, Line } from './verdicts.ts';

/** Three heartbeats missed. */
export const heartbeat_grace_default_s = 3 * heartbeat_interval_s;
/** What a gateway delivers about longer ago than this is history: it calls nobody. */
const late_after_ms = 15 * 60_000;
/** A bridge or a device that is started anew is back by then; one that is gone need not be waited for. */
const gone_grace_ms = 2 * 60_000;

export interface WatchedStore {
  readonly store_id: string;
  /**
   * Since when the store has been trading with nobody at work on it, ms since the epoch; null: it
   * is closed or under maintenance now.
   */
  readonly trading_since: number | null;
  /** Whether it is under maintenance now. */
  readonly worked_on: boolean;
}

export interface WatchedGateway {
  readonly gateway_id: string;
  readonly store_id: string;
  readonly name: string;
  /** ms since the epoch, HQ's clock. */
  readonly enrolled_at: number;
  readonly heartbeat_at: number | null;
  /** ms since the epoch, the gateway's clock. */
  readonly sent_at: number | null;
  readonly delivered_at: number | null;
}

export interface WatchedSensor {
  /** `sensor_metadata.id`. */
  readonly id: string;
  readonly sensor_id: string;
  readonly store_id: string;
  readonly gateway_id: string;
  /** ms since the epoch, the gateway's clock; null: no frame yet. */
  readonly last_seen_at: number | null;
  /** When HQ first heard of it: where silence starts for a sensor that never spoke. */
  readonly known_since: number;
  readonly silent_after_s: number;
  /** Charge of its weakest battery, percent; null: it has none, or has not said. */
  readonly battery_pct: number | null;
  /** Faults that the device has spoken of, by name: whether it has them now. */
  readonly faults: Readonly<Record<string, boolean>> | null;
  /** Since when it said, or its broker did, that it is gone; null: nobody said so. */
  readonly offline_since: number | null;
}

/** What a sensor last counted, and what it usually counts since then. */
export interface WatchedTraffic {
  /** `sensor_metadata.id`. */
  readonly id: string;
  /** End of the last interval in which somebody passed, ms since the epoch, the gateway's clock. */
  readonly last_counted_at: number;
  readonly usual: readonly UsualHour[];
}

export interface Watched {
  readonly stores: readonly WatchedStore[];
  readonly gateways: readonly WatchedGateway[];
  readonly sensors: readonly WatchedSensor[];
  /** Empty while nobody looks. */
  readonly traffic: readonly WatchedTraffic[];
  /** ms since the epoch, HQ's clock. */
  readonly now: number;
  /** Since when HQ has been listening: before, nobody's heartbeat could arrive. */
  readonly watching_since: number;
  readonly heartbeat_grace_s: number;
}

export function judgeSilence(seen: Watched): Judgement & { lines: ReadonlyMap<string, Line> } {
  const trading = new Map(seen.stores.map((one) => [one.store_id, one.trading_since]));
  const gateways = new Map(seen.gateways.map((one) => [one.gateway_id, one]));
  const traffic = new Map(seen.traffic.map((one) => [one.id, one]));
  const lines = new Map<string, Line>();
  const findings: Finding[] = [];
  const unknown = new Set<string>();

  for (const gateway of seen.gateways) {
    const [line, finding] = judgeGateway(gateway, trading.get(gateway.store_id) ?? null, seen);
    lines.set(gateway.gateway_id, line);
    if (finding !== null) findings.push(finding);
    else if (line === 'unknown') {
      unknown.add(dedupKey({ alert_type: 'gateway_offline', subject: gateway.gateway_id }));
    }
  }

  for (const sensor of seen.sensors) {
    const silent = dedupKey({ alert_type: 'sensor_silent', subject: sensor.id });
    const blind = dedupKey({ alert_type: 'sensor_blind', subject: sensor.id });
    const line = lines.get(sensor.gateway_id) ?? 'unknown';
    const until = gateways.get(sensor.gateway_id)?.delivered_at ?? null;
    const since = trading.get(sensor.store_id) ?? null;
    if (line === 'unknown' || until === null || since === null) {
      unknown.add(silent).add(blind);
      continue;
    }
    const late = line === 'late';
    const heard = sensor.last_seen_at ?? sensor.known_since;
    const gone_ms =
      sensor.offline_since === null ? 0 : until - Math.max(sensor.offline_since, since);
    const is_gone = gone_ms > gone_grace_ms;
    if (is_gone || until - Math.max(heard, since) > sensor.silent_after_s * 1000) {
      findings.push({ ...sensorSilent(sensor, is_gone), late });
      // One fault, one alert: of a sensor that says nothing, nobody asks how many it counts.
      unknown.add(blind);
      continue;
    }
    // Not heard since the store opened: whatever was open stays until it speaks.
    if (until - heard > sensor.silent_after_s * 1000) unknown.add(silent);
    const one = traffic.get(sensor.id);
    if (one !== undefined) {
      const people = expectedPeople(one.usual, one.last_counted_at, until);
      if (people >= blind_after_people)
        findings.push({ ...sensorBlind(sensor, one, people), late });
    }
  }
  return { findings, unknown, lines };
}

function judgeGateway(
  gateway: WatchedGateway,
  trading_since: number | null,
  { now, watching_since, heartbeat_grace_s }: Watched,
): [Line, Finding | null] {
  const heard = gateway.heartbeat_at ?? gateway.enrolled_at;
  const silent = (since: number) => now - Math.max(heard, since) > heartbeat_grace_s * 1000;
  if (silent(0)) {
    const fault = trading_since !== null && silent(Math.max(watching_since, trading_since));
    return ['unknown', fault ? gatewayOffline(gateway, heartbeat_grace_s) : null];
  }
  // HQ itself was away; the gateway has not said yet whether it is back.
  if (gateway.heartbeat_at !== null && heard < watching_since) return ['unknown', null];
  const behind = now - heard + (gateway.sent_at ?? 0) - (gateway.delivered_at ?? 0);
  return [behind > late_after_ms ? 'late' : 'online', null];
}

function gatewayOffline(gateway: WatchedGateway, grace_s: number): Finding {
  return {
    alert_type: 'gateway_offline',
    subject: gateway.gateway_id,
    store_id: gateway.store_id,
    title: `Gateway ${gateway.name} is offline`,
    description:
      `No heartbeat for more than ${grace_s} s. Its sensors are unknown, not empty; ` +
      'what they count is kept in the store and arrives when the line is back.',
    metadata: { gateway_id: gateway.gateway_id, heartbeat_at: gateway.heartbeat_at },
  };
}

function sensorSilent(sensor: WatchedSensor, is_gone: boolean): Finding {
  const seen = is_gone
    ? 'Its gateway works, and was told that the device is gone. '
    : `Its gateway works and has received nothing from it for more than ${sensor.silent_after_s} s. `;
  return {
    alert_type: 'sensor_silent',
    subject: sensor.id,
    store_id: sensor.store_id,
    title: `Sensor ${sensor.sensor_id} is silent`,
    description: `${seen}Check its power, its network and its address.`,
    metadata: {
      sensor_id: sensor.sensor_id,
      gateway_id: sensor.gateway_id,
      last_seen_at: sensor.last_seen_at,
    },
  };
}

function sensorBlind(
  sensor: WatchedSensor,
  { last_counted_at }: WatchedTraffic,
  people: number,
): Finding {
  return {
    alert_type: 'sensor_blind',
    subject: sensor.id,
    store_id: sensor.store_id,
    title: `Sensor ${sensor.sensor_id} counts nobody`,
    description:
      `It speaks, but reports nobody where about ${Math.round(people)} people pass at this time of ` +
      'the week. Check that nothing covers it, and whether the store is closed today.',
    metadata: {
      sensor_id: sensor.sensor_id,
      gateway_id: sensor.gateway_id,
      last_counted_at,
      expected_people: Math.round(people),
    },
  };
}
