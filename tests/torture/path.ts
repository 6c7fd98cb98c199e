/**
 * Kills, power cuts, full and failing disks and cut lines at random moments, while sensors count.
 * Law: in the end HQ holds, for each sensor and hour, exactly what was counted.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';
import { DeltaSensor, PulseCounter } from './sensors.ts';
import { type HqHour, StoreUnderTorture } from './store-under-torture.ts';

const clock = systemClock;
const sensor_ids = ['north', 'south', 'east', 'west'];
const hour_ms = 3_600_000;
/** HQ keeps partitions for the past three months. */
const history_ms = 60 * 24 * hour_ms;
const settle_deadline_ms = 180_000;

export interface TortureResult {
  readonly seed: number;
  /** SIGKILLs of gateway, HQ and database, power cuts left out. */
  readonly kills: number;
  readonly power_cuts: number;
  /** Messages that the sensors were acknowledged. */
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  readonly quarantined: number;
  /** How often each kind of fault was done. */
  readonly scenarios: readonly { readonly name: string; readonly count: number }[];
}

interface Scenario {
  readonly name: string;
  readonly weight: number;
  readonly kind: 'kill' | 'power_cut' | 'other';
  readonly happen: (store: StoreUnderTorture, pause_ms: number) => Promise<void>;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'gateway killed',
    weight: 6,
    kind: 'kill',
    async happen(store) {
      await store.killGateway();
      await store.startGateway();
    },
  },
  {
    name: 'power cut',
    weight: 5,
    kind: 'power_cut',
    async happen(store) {
      await store.killGateway();
      store.disk.cutPower();
      await store.startGateway();
    },
  },
  {
    name: 'HQ killed',
    weight: 3,
    kind: 'kill',
    async happen(store, pause_ms) {
      await store.killHq();
      await clock.sleep(pause_ms);
      await store.startHq();
    },
  },
  {
    name: 'database killed',
    weight: 1,
    kind: 'kill',
    async happen(store) {
      store.killDatabase();
      await store.reviveHq();
    },
  },
  {
    name: 'line cut',
    weight: 3,
    kind: 'other',
    async happen(store, pause_ms) {
      store.cutLink();
      await clock.sleep(pause_ms);
      store.mendLink();
    },
  },
  {
    name: 'disk full',
    weight: 1,
    kind: 'other',
    async happen(store, pause_ms) {
      store.disk.become('full');
      await clock.sleep(pause_ms);
      store.disk.become('normal');
    },
  },
  {
    name: 'disk failing',
    weight: 1,
    kind: 'other',
    async happen(store, pause_ms) {
      store.disk.become('failing');
      await clock.sleep(pause_ms);
      store.disk.become('normal');
    },
  },
];

/** @param runs kills and power cuts to do. */
export async function tortureThePath(
  runs: number,
  seed: number,
  tell: (text: string) => void,
): Promise<TortureResult> {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-torture-'));
  const random = seededRandom(seed);
  const store = new StoreUnderTorture(folder, random);
  const pulse = new PulseCounter();
  try {
    await store.open(sensor_ids, await pulse.listen());
    const start = Math.floor((clock.now() - history_ms) / hour_ms) * hour_ms;
    const sensors = sensor_ids.map((id) => new DeltaSensor(id, store.mqtt_port, start, clock));
    for (const sensor of sensors) sensor.begin();
    const walking = pulse.walk(clock);
    const counts = await doHarm(store, runs, random, tell);
    await Promise.all(sensors.map((sensor) => sensor.finish()));
    pulse.hold();
    await walking;
    return { seed, ...counts, ...(await judge(store, sensors, pulse)) };
  } finally {
    await store.close();
    pulse.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function doHarm(
  store: StoreUnderTorture,
  runs: number,
  random: () => number,
  tell: (text: string) => void,
): Promise<Pick<TortureResult, 'kills' | 'power_cuts' | 'scenarios'>> {
  const done = new Map(scenarios.map((scenario) => [scenario, 0]));
  const of = (kind: Scenario['kind']) =>
    [...done].reduce((sum, [scenario, count]) => (scenario.kind === kind ? sum + count : sum), 0);
  while (of('kill') + of('power_cut') < runs) {
    await clock.sleep(random() * 400);
    const scenario = drawn(random);
    await scenario.happen(store, 50 + random() * 500);
    done.set(scenario, (done.get(scenario) ?? 0) + 1);
    const total = of('kill') + of('power_cut');
    if (scenario.kind !== 'other' && total % 25 === 0) tell(`${total} of ${runs}`);
  }
  const counted = [...done].map(([{ name }, count]) => ({ name, count }));
  return { kills: of('kill'), power_cuts: of('power_cut'), scenarios: counted };
}

function drawn(random: () => number): Scenario {
  const weights = scenarios.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * weights;
  for (const scenario of scenarios) {
    left -= scenario.weight;
    if (left < 0) return scenario;
  }
  return scenarios[0] as Scenario;
}

async function judge(
  store: StoreUnderTorture,
  sensors: readonly DeltaSensor[],
  pulse: PulseCounter,
): Promise<Pick<TortureResult, 'rows' | 'lost' | 'doubled' | 'quarantined'>> {
  const deadline = clock.monotonic() + settle_deadline_ms;
  let verdict = compare(await store.hours(), sensors, pulse);
  while (verdict.lost + verdict.doubled > 0 && clock.monotonic() < deadline) {
    await clock.sleep(500);
    verdict = compare(await store.hours(), sensors, pulse);
  }
  const status = await store.status();
  const quarantined = status?.buffer.quarantined.reduce((sum, { count }) => sum + count, 0) ?? 0;
  return { rows: sensors.reduce((sum, sensor) => sum + sensor.sent, 0), ...verdict, quarantined };
}

/** Differences in people and in readings, hour by hour: one lost and one doubled do not cancel. */
function compare(hours: readonly HqHour[], sensors: readonly DeltaSensor[], pulse: PulseCounter) {
  let lost = 0;
  let doubled = 0;
  const differ = (truth: number, hq: number) => {
    lost += Math.max(0, truth - hq);
    doubled += Math.max(0, hq - truth);
  };
  for (const sensor of sensors) {
    const found = new Map(
      hours
        .filter(({ sensor_id }) => sensor_id === sensor.sensor_id)
        .map((hour) => [Date.parse(hour.start_time), hour]),
    );
    for (const start of new Set([...sensor.hours.keys(), ...found.keys()])) {
      differ(sensor.hours.get(start)?.people ?? 0, found.get(start)?.total_in ?? 0);
      differ(sensor.hours.get(start)?.readings ?? 0, found.get(start)?.readings ?? 0);
    }
  }
  const pulses = hours.filter(({ sensor_id }) => sensor_id === 'pulse');
  differ(
    pulse.walked,
    pulses.reduce((sum, hour) => sum + hour.total_in, 0),
  );
  return { lost, doubled };
}
