/**
 * Which alerts should be open; pure.
 *
 * A gateway is judged by HQ's clock, because its silence is what HQ sees. A sensor is judged by what
 * its gateway has delivered: behind a cut line it is unknown, not silent, so a gateway that is
 * offline holds the alerts of its sensors as they are.
 */
import { heartbeat_interval_s } from '../../shared/wire/heartbeat.ts';
import type { UsualHour } from './expected-traffic.ts';
import { blind_after_people, expectedPeople } from './expected-traffic.ts';

/** Three heartbeats missed. */
export const heartbeat_grace_default_s = 3 * heartbeat_interval_s;

export interface WatchedGateway {
  readonly gateway_id: string;
  readonly store_id: string;
  readonly name: string;
  /** ms since the epoch, HQ's clock. */
  readonly enrolled_at: number;
  readonly heartbeat_at: number | null;
  /** ms since the epoch, the gateway's clock. */
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
}

/** What a sensor last counted, and what it usually counts since then. */
export interface WatchedTraffic {
  /** `sensor_metadata.id`. */
  readonly id: string;
  /** End of the last interval in which somebody passed, ms since the epoch, the gateway's clock. */
  readonly last_counted_at: number;
  readonly usual: readonly UsualHour[];
}

export interface Alert {
  readonly dedup_key: string;
  readonly store_id: string;
  readonly alert_type: 'gateway_offline' | 'sensor_silent' | 'sensor_blind';
  readonly severity: 'critical' | 'warning';
  readonly title: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string | number | null>>;
}

export interface Decision {
  readonly raise: Alert[];
  /** dedup_key of alerts whose cause is gone. */
  readonly resolve: string[];
}

export function decideAlerts(seen: {
  gateways: readonly WatchedGateway[];
  sensors: readonly WatchedSensor[];
  /** Null: not looked at this time, so what is decided about it stays. */
  traffic: readonly WatchedTraffic[] | null;
  /** dedup_key of the alerts that are open. */
  open: readonly string[];
  /** ms since the epoch, HQ's clock. */
  now: number;
  /** Since when HQ has been listening: before, nobody's heartbeat could arrive. */
  watching_since: number;
  heartbeat_grace_s: number;
}): Decision {
  const open = new Set(seen.open);
  const holding = new Map<string, Alert>();
  const undecided = new Set<string>();
  const offline = new Set<string>();

  for (const gateway of seen.gateways) {
    const heard = Math.max(gateway.heartbeat_at ?? gateway.enrolled_at, seen.watching_since);
    if (seen.now - heard > seen.heartbeat_grace_s * 1000) {
      offline.add(gateway.gateway_id);
      const alert = gatewayOffline(gateway, seen.heartbeat_grace_s);
      holding.set(alert.dedup_key, alert);
    } else if (gateway.heartbeat_at !== null && gateway.heartbeat_at < seen.watching_since) {
      // HQ itself was away; the gateway has not said yet whether it is back.
      undecided.add(`gateway_offline:${gateway.gateway_id}`);
      offline.add(gateway.gateway_id);
    }
  }

  const delivered = new Map(seen.gateways.map((g) => [g.gateway_id, g.delivered_at]));
  const traffic = new Map(seen.traffic?.map((one) => [one.id, one]));
  for (const sensor of seen.sensors) {
    const key = `sensor_silent:${sensor.id}`;
    const blind_key = `sensor_blind:${sensor.id}`;
    const until = delivered.get(sensor.gateway_id) ?? null;
    if (offline.has(sensor.gateway_id) || until === null) {
      undecided.add(key).add(blind_key);
      continue;
    }
    const heard = sensor.last_seen_at ?? sensor.known_since;
    if (until - heard > sensor.silent_after_s * 1000) {
      holding.set(key, sensorSilent(sensor, key));
      // One fault, one alert: of a sensor that says nothing, nobody asks how many it counts.
      undecided.add(blind_key);
      continue;
    }
    const one = traffic.get(sensor.id);
    if (seen.traffic === null) undecided.add(blind_key);
    else if (one !== undefined) {
      const people = expectedPeople(one.usual, one.last_counted_at, until);
      if (people >= blind_after_people) {
        holding.set(blind_key, sensorBlind(sensor, blind_key, one, people));
      }
    }
  }

  return {
    raise: [...holding.values()].filter(({ dedup_key }) => !open.has(dedup_key)),
    resolve: seen.open.filter((key) => !holding.has(key) && !undecided.has(key)),
  };
}

function gatewayOffline(gateway: WatchedGateway, grace_s: number): Alert {
  return {
    dedup_key: `gateway_offline:${gateway.gateway_id}`,
    store_id: gateway.store_id,
    alert_type: 'gateway_offline',
    severity: 'critical',
    title: `Gateway ${gateway.name} is offline`,
    description:
      `No heartbeat for more than ${grace_s} s. Its sensors are unknown, not empty; ` +
      'what they count is kept in the store and arrives when the line is back.',
    metadata: { gateway_id: gateway.gateway_id, heartbeat_at: gateway.heartbeat_at },
  };
}

function sensorSilent(sensor: WatchedSensor, dedup_key: string): Alert {
  return {
    dedup_key,
    store_id: sensor.store_id,
    alert_type: 'sensor_silent',
    severity: 'warning',
    title: `Sensor ${sensor.sensor_id} is silent`,
    description:
      `Its gateway works and has received nothing from it for more than ${sensor.silent_after_s} s. ` +
      'Check its power, its network and its address.',
    metadata: {
      sensor_id: sensor.sensor_id,
      gateway_id: sensor.gateway_id,
      last_seen_at: sensor.last_seen_at,
    },
  };
}

function sensorBlind(
  sensor: WatchedSensor,
  dedup_key: string,
  { last_counted_at }: WatchedTraffic,
  people: number,
): Alert {
  return {
    dedup_key,
    store_id: sensor.store_id,
    alert_type: 'sensor_blind',
    severity: 'warning',
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
