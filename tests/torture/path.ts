/**
 * Kills, power cuts, standstills, full and failing disks, a clock that jumps, and a line that is cut, silent,
 * slow, lying or repeating, at random moments, while sensors count. Law: in the end HQ holds, for each sensor
 * and hour, exactly what was counted, the gateway's ledger exactly what HQ cannot take, and nothing is left
 * buffered.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';
import { DiskImages } from './disk-images.ts';
import { type ImageVerdict, judgeImages } from './image-judge.ts';
import { imageScenarios } from './image-scenarios.ts';
import { type Scenario, weighted } from './scenarios.ts';
import { DeltaSensor, PulseCounter } from './sensors.ts';
import { type BufferLimits, type HqHour, StoreUnderTorture } from './store-under-torture.ts';
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

/** With what is judged beside it where images are put back. */
export interface TortureResult extends Partial<ImageVerdict> {
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

/** Between two people at the pulse counter: 2,400 a minute, less than half of what its profile believes. */
const step_ms = 25;

export interface PathOptions {
  /** Kills and power cuts to do. */
  readonly runs: number;
  readonly seed: number;
  /** Kills to a power cut, on average; undefined: as the scenarios say. */
  readonly kills_per_cut?: number | undefined;
  /** Kills that put an older image of the gateway's disk back; what is judged then: image-judge.ts. */
  readonly images?: number | undefined;
  readonly tell?: (text: string) => void;
}

export async function tortureThePath(options: PathOptions): Promise<TortureResult> {
  const { seed, tell = () => {} } = options;
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-torture-'));
  const random = seededRandom(seed);
  const isOfImages = (options.images ?? 0) > 0;
  const limits = isOfImages ? imageLimits(random) : undefined;
  const store = new StoreUnderTorture(folder, random, limits);
  const pulse = new PulseCounter();
  let total: TotalSensor | undefined;
  let images: DiskImages | undefined;
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
    // What HQ refuses of a sum is one reading to its ledger.
    for (const sensor of limits === undefined ? all : sensors) sensor.begin();
    const walking = pulse.walk(clock, step_ms);
    if (isOfImages) {
      // An image from before a counter's first total would leave out who walked until the next.
      while (pulse.walked === 0) await clock.sleep(25);
      images = new DiskImages(store, all, random);
    }
    const besides = images === undefined ? [] : imageScenarios(images, options, random);
    const counts = await doHarm(store, options, random, besides);
    store.clock.setRight();
    await Promise.all(all.map((sensor) => sensor.finish()));
    pulse.hold();
    total?.hold();
    await walking;
    if (images === undefined) {
      return { seed, ...counts, ...(await judge(store, { sensors, past, pulse, total })) };
    }
    const totals = [
      { sensor_id: 'pulse', walked: pulse.walked },
      ...(total === undefined ? [] : [total]),
    ];
    const verdict = await judgeImages(store, { sensors, past, totals, images }, tell);
    return { seed, ...counts, ...verdict };
  } finally {
    await total?.close();
    await store.close();
    images?.close();
    pulse.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of two stores in three, so that a line that is away for seconds takes the buffer to its quota. */
function imageLimits(random: () => number): BufferLimits | undefined {
  const quota_bytes = 1024 * Math.round(64 + random() * 48);
  return random() < 0.67 ? { quota_bytes, rows_kept: 400 } : undefined;
}

async function doHarm(
  store: StoreUnderTorture,
  { runs, kills_per_cut, tell = () => {} }: PathOptions,
  random: () => number,
  besides: readonly Scenario[],
): Promise<Pick<TortureResult, 'kills' | 'power_cuts' | 'scenarios'>> {
  // An interval that two lives date by clocks days apart is two intervals to HQ.
  const hasClock = store.clock.isInstalled && besides.length === 0;
  const missing = [store.hasBroker ? '' : 'broker', hasClock ? '' : 'clock'];
  const scenarios = [...weighted(kills_per_cut), ...besides].filter(
    ({ needs = 'none' }) => !missing.includes(needs),
  );
  const done = new Map(scenarios.map((scenario) => [scenario, 0]));
  const of = (kind: Scenario['kind']) =>
    [...done].reduce((sum, [scenario, count]) => (scenario.kind === kind ? sum + count : sum), 0);
  for (let total = 0; total < runs; total = of('kill') + of('power_cut')) {
    await clock.sleep(random() * 400);
    const scenario = drawn(scenarios, { random, left: runs - total, done });
    await scenario.happen(store, 50 + random() * 500);
    done.set(scenario, (done.get(scenario) ?? 0) + 1);
    if (scenario.kind !== 'other' && (total + 1) % 25 === 0) tell(`${total + 1} of ${runs}`);
  }
  const counted = [...done].map(([{ name }, count]) => ({ name, count }));
  return { kills: of('kill'), power_cuts: of('power_cut'), scenarios: counted };
}

interface Drawing {
  readonly random: () => number;
  /** Kills and power cuts that are still to do. */
  readonly left: number;
  readonly done: ReadonlyMap<Scenario, number>;
}

/** One that is to happen so many times does. */
function drawn(all: readonly Scenario[], { random, left, done }: Drawing): Scenario {
  const owed = (one: Scenario) => (one.times ?? Number.POSITIVE_INFINITY) - (done.get(one) ?? 0);
  const due = all.find((one) => left <= owed(one) && one.times !== undefined);
  if (due !== undefined) return due;
  const scenarios = all.filter((one) => owed(one) > 0);
  const weights = scenarios.reduce((sum, { weight }) => sum + weight, 0);
  let place = random() * weights;
  for (const scenario of scenarios) {
    place -= scenario.weight;
    if (place < 0) return scenario;
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
