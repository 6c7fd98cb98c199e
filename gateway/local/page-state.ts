/** What the store's page shows, from the gateway's status and its live counts. Pure. */
import type { Crossings, Tallied } from '../meters/tally.ts';
import { crossingsSince } from '../meters/tally.ts';
import type { GatewayStatus } from '../status.ts';
import type { WalkTestStatus } from './walk-tests.ts';

export interface PageSensor extends Crossings {
  readonly sensor_id: string;
  readonly name: string;
  readonly kind: 'line' | 'zone';
  /** People in its zones now; null where it has none or does not say. */
  readonly occupancy: number | null;
  /** Seconds since it was last heard; null: not since the gateway started. */
  readonly seen_s: number | null;
  readonly is_silent: boolean;
  /** Everything since the gateway started, for watching somebody walk. */
  readonly since_start: Crossings;
}

export interface PageState {
  readonly store: string | null;
  readonly version: string;
  /** One word for the light, one sentence for the person. */
  readonly light: 'good' | 'warning' | 'fault';
  readonly headline: string;
  /** The store's own time of day, `HH:MM`. */
  readonly time: string;
  /** Since when people are counted today: midnight, or the start of the gateway. */
  readonly since: string;
  readonly sensors: readonly PageSensor[];
  readonly buffer: { readonly waiting: number; readonly oldest_s: number | null };
  readonly delivery: { readonly state: string; readonly delivered_s: number | null };
  readonly walk_test: WalkTestStatus | null;
}

/** What waits longer than this is worth a word; HQ judges the same way. */
const backlog_warn_s = 15 * 60;

export function pageState(
  status: GatewayStatus,
  tallied: readonly (readonly [string, Tallied])[],
  walk_test: WalkTestStatus | null,
): PageState {
  const { now, started_at, uplink, buffer } = status;
  const timezone = uplink.enrolled?.timezone;
  const midnight = startOfDay(now, timezone);
  const sensors = status.sensors.map((sensor) => pageSensor(sensor, status, tallied, midnight));
  const seconds = (at: number | null) =>
    at === null ? null : Math.max(0, Math.round((now - at) / 1000));
  const { enrolled, sync } = uplink;
  const waiting = { waiting: buffer.buffered, oldest_s: seconds(buffer.oldest_unsent_received_at) };
  return {
    store: enrolled === null ? null : `${enrolled.store}, ${enrolled.organization}`,
    version: status.version,
    ...verdict(status, sensors, waiting.oldest_s),
    time: timeOfDay(now, timezone),
    since:
      started_at > midnight
        ? `${timeOfDay(started_at, timezone)}, when the gateway started`
        : 'midnight',
    sensors,
    buffer: waiting,
    delivery: {
      state: sync === null ? 'not enrolled' : (sync.error ?? sync.state),
      delivered_s: seconds(sync?.last_delivered_at ?? null),
    },
    walk_test,
  };
}

function pageSensor(
  sensor: GatewayStatus['sensors'][number],
  { now, started_at }: GatewayStatus,
  tallied: readonly (readonly [string, Tallied])[],
  midnight: number,
): PageSensor {
  const { sensor_id, name, kind, last_seen_at, offline_since, silent_after_s } = sensor;
  const own = tallied
    .filter(([id]) => id === sensor_id || id.startsWith(`${sensor_id}/`))
    .map(([, sums]) => sums);
  const occupancies = own.flatMap((sums) => Object.values(sums.occupancy));
  const known = occupancies.filter((people) => people !== null);
  const quiet_s = Math.max(0, Math.round((now - (last_seen_at ?? started_at)) / 1000));
  return {
    sensor_id,
    name,
    kind,
    ...sumOf(own.map((sums) => crossingsSince(sums, midnight))),
    occupancy: known.length === 0 ? null : known.reduce((sum, people) => sum + people, 0),
    seen_s: last_seen_at === null ? null : quiet_s,
    is_silent: quiet_s > silent_after_s || offline_since !== null,
    since_start: sumOf(own),
  };
}

function sumOf(crossings: readonly Crossings[]): Crossings {
  return crossings.reduce((sum, each) => ({ in: sum.in + each.in, out: sum.out + each.out }), {
    in: 0,
    out: 0,
  });
}

/** The first thing that matters to who stands in the store, in the order of the path. */
function verdict(
  status: GatewayStatus,
  sensors: readonly PageSensor[],
  oldest_s: number | null,
): Pick<PageState, 'light' | 'headline'> {
  const said = (light: PageState['light'], headline: string) => ({ light, headline });
  if (status.durability === 'degraded') {
    return said(
      'fault',
      'Not counting: the disk takes nothing. Call whoever looks after the gateway.',
    );
  }
  const failing = status.sources.find(({ state }) => state === 'failing');
  if (failing !== undefined)
    return said('fault', `Not connected: ${failing.source}. Check its cable and power.`);
  if (sensors.length === 0) return said('warning', 'No sensor is paired yet.');
  const silent = sensors.filter(({ is_silent }) => is_silent).map(({ name }) => name);
  if (silent.length > 0)
    return said('fault', `Silent: ${silent.join(', ')}. Check power and cable.`);
  if (status.uplink.enrolled === null)
    return said('warning', 'Counting. Not connected to headquarters yet.');
  if (status.uplink.sync?.state === 'refused') {
    return said('fault', 'Counting, but headquarters refuses this gateway. Counts are kept.');
  }
  if ((oldest_s ?? 0) > backlog_warn_s) {
    return said('warning', 'Counting. Headquarters cannot be reached; counts are kept.');
  }
  return said('good', 'Counting.');
}

const quarter_ms = 15 * 60 * 1000;
const day_quarters_max = 26 * 4;

/** The quarter hour in which the day began there: every zone's offset is a multiple of 15 minutes. */
export function startOfDay(now: number, timezone: string | undefined): number {
  const format = new Intl.DateTimeFormat('en-CA', zoned(timezone, { dateStyle: 'short' }));
  const today = format.format(now);
  let start = Math.floor(now / quarter_ms) * quarter_ms;
  for (let i = 0; i < day_quarters_max && format.format(start - quarter_ms) === today; i++) {
    start -= quarter_ms;
  }
  return start;
}

function timeOfDay(at: number, timezone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', zoned(timezone, { timeStyle: 'short' })).format(at);
}

function zoned(timeZone: string | undefined, options: Intl.DateTimeFormatOptions) {
  return timeZone === undefined ? options : { ...options, timeZone };
}
