/**
 * Kills, power cuts, full and failing disks, a clock that jumps, and a line that is cut, silent, slow,
 * lying or repeating, at random moments, while sensors count. Law: in the end HQ holds, for each sensor and hour, exactly
 * what was counted, the gateway's ledger exactly what HQ cannot take, and nothing is left buffered.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';
import { type Scenario, weighted } from './scenarios.ts';
import { DeltaSensor, PulseCounter } from './sensors.ts';
import { type HqHour, StoreUnderTorture } from './store-under-torture.ts';
import { TotalSensor } from './total-sensor.ts';

const clock = systemClock;
const sensor_ids = ['north', 'south', 'east', 'west'];
const hour_ms = 3_600_000;
/** HQ keeps partitions for the past three months. */
const history_ms = 60 * 24 * hour_ms;
/** HQ refuses what it has no partition for: the ledger must hold each of them once. */
const refused_ms = 600 * 24 * hour_ms;
/** Looked at twice a second: by looks, so that a machine that stood still is no fault. */
const settle_looks_max = 360;

export interface TortureResult {
  readonly seed: number;
  /** SIGKILLs of gateway, HQ, database and broker, power cuts left out. */
  readonly kills: number;
  readonly power_cuts: number;
  /** Messages that the sensors were acknowledged. */
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  /** Readings that HQ refused, as the ledger has them; a difference counts as lost or doubled. */
  readonly quarantined: number;
  /** Left in the buffer at the end. */
  readonly buffered: number;
  /** How often each kind of fault was done. */
  readonly scenarios: readonly { readonly name: string; readonly count: number }[];
}

export interface PathOptions {
  /** Kills and power cuts to do. */
  readonly runs: number;
  readonly seed: number;
  /** Kills to a power cut, on average; undefined: as the scenarios say. */
  readonly kills_per_cut?: number | undefined;
  readonly tell?: (text: string) => void;
}

export async function tortureThePath(options: PathOptions): Promise<TortureResult> {
  const { seed } = options;
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-torture-'));
  const random = seededRandom(seed);
  const store = new StoreUnderTorture(folder, random);
  const pulse = new PulseCounter();
  let total: TotalSensor | undefined;
  try {
    await store.open([...sensor_ids, 'past'], await pulse.listen());
    const before = (age_ms: number) => Math.floor((clock.now() - age_ms) / hour_ms) * hour_ms;
    const start = before(history_ms);
    const sensors = sensor_ids.map((id) => new DeltaSensor(id, store.mqtt_port, start, clock));
    const past = new DeltaSensor('past', store.mqtt_port, before(refused_ms), clock);
    const all = [...sensors, past];
    if (store.hasBroker) {
      total = new TotalSensor(store.broker_port, clock);
      await total.begin(() => store.hasHeard('total'));
    }
    for (const sensor of all) sensor.begin();
    const walking = pulse.walk(clock);
    const counts = await doHarm(store, options, random);
    store.clock.setRight();
    await Promise.all(all.map((sensor) => sensor.finish()));
    pulse.hold();
    total?.hold();
    await walking;
    return { seed, ...counts, ...(await judge(store, { sensors, past, pulse, total })) };
  } finally {
    await total?.close();
    await store.close();
    pulse.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function doHarm(
  store: StoreUnderTorture,
  { runs, kills_per_cut, tell = () => {} }: PathOptions,
  random: () => number,
): Promise<Pick<TortureResult, 'kills' | 'power_cuts' | 'scenarios'>> {
  const missing = [store.hasBroker ? '' : 'broker', store.clock.isInstalled ? '' : 'clock'];
  const scenarios = weighted(kills_per_cut).filter(
    ({ needs = 'none' }) => !missing.includes(needs),
  );
  const done = new Map(scenarios.map((scenario) => [scenario, 0]));
  const of = (kind: Scenario['kind']) =>
    [...done].reduce((sum, [scenario, count]) => (scenario.kind === kind ? sum + count : sum), 0);
  while (of('kill') + of('power_cut') < runs) {
    await clock.sleep(random() * 400);
    const scenario = drawn(scenarios, random);
    await scenario.happen(store, 50 + random() * 500);
    done.set(scenario, (done.get(scenario) ?? 0) + 1);
    const total = of('kill') + of('power_cut');
    if (scenario.kind !== 'other' && total % 25 === 0) tell(`${total} of ${runs}`);
  }
  const counted = [...done].map(([{ name }, count]) => ({ name, count }));
  return { kills: of('kill'), power_cuts: of('power_cut'), scenarios: counted };
}

function drawn(scenarios: readonly Scenario[], random: () => number): Scenario {
  const weights = scenarios.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * weights;
  for (const scenario of scenarios) {
    left -= scenario.weight;
    if (left < 0) return scenario;
  }
  return scenarios[0] as Scenario;
}

interface Truth {
  readonly sensors: readonly DeltaSensor[];
  /** Whose readings HQ refuses. */
  readonly past: DeltaSensor;
  readonly pulse: PulseCounter;
  /** Absent without a broker. */
  readonly total: TotalSensor | undefined;
}

async function judge(
  store: StoreUnderTorture,
  truth: Truth,
): Promise<Pick<TortureResult, 'rows' | 'lost' | 'doubled' | 'quarantined' | 'buffered'>> {
  const rows = [...truth.sensors, truth.past].reduce((sum, sensor) => sum + sensor.sent, 0);
  for (let looks = 1; ; looks += 1) {
    const buffer = (await store.status())?.buffer;
    const quarantined = buffer?.quarantined.reduce((sum, { count }) => sum + count, 0) ?? 0;
    // What waits for a date is left as well.
    const buffered = buffer === undefined ? Number.NaN : buffer.buffered + buffer.undated;
    const { lost, doubled } = compare(await store.hours(), quarantined, truth);
    const isDone = lost + doubled + buffered === 0;
    if (isDone || looks > settle_looks_max) {
      return { rows, lost, doubled, quarantined, buffered };
    }
    await clock.sleep(500);
  }
}

/** Differences in people and in readings, hour by hour: one lost and one doubled do not cancel. */
function compare(hours: readonly HqHour[], quarantined: number, truth: Truth) {
  let lost = 0;
  let doubled = 0;
  const differ = (truth: number, hq: number) => {
    lost += Math.max(0, truth - hq);
    doubled += Math.max(0, hq - truth);
  };
  const hoursOf = (id: string) => hours.filter(({ sensor_id }) => sensor_id === id);
  const peopleOf = (id: string) => hoursOf(id).reduce((sum, hour) => sum + hour.total_in, 0);
  for (const sensor of truth.sensors) {
    const found = new Map(
      hoursOf(sensor.sensor_id).map((hour) => [Date.parse(hour.start_time), hour]),
    );
    for (const start of new Set([...sensor.hours.keys(), ...found.keys()])) {
      differ(sensor.hours.get(start)?.people ?? 0, found.get(start)?.total_in ?? 0);
      differ(sensor.hours.get(start)?.readings ?? 0, found.get(start)?.readings ?? 0);
    }
  }
  differ(truth.past.sent, quarantined);
  differ(0, peopleOf('past'));
  differ(truth.pulse.walked, peopleOf('pulse'));
  if (truth.total !== undefined) differ(truth.total.walked, peopleOf('total'));
  return { lost, doubled };
}
