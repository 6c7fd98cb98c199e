/**
 * `npm run demo`: the whole way of a count, with real processes and real faults, checked at the end
 * against what really walked. Exits 1 when one person is missing or doubled.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../shared/runtime/clock.ts';
import { printError, printLine, printTable } from '../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../shared/runtime/errors.ts';
import { faultsOf } from './faults.ts';
import { Headquarters } from './headquarters.ts';
import { LiveTable, type StoreView } from './live-table.ts';
import { report_interval_s, Store } from './store.ts';
import { stores as plans } from './stores.ts';
import { differences, judgeStore, type SensorVerdict } from './verdict.ts';

const clock = systemClock;
/** Faults come again after this when the run has no end. */
const cycle_s = 60;
const hq_look_s = 5;
const delivery_deadline_s = 180;

interface Result {
  readonly seconds: number;
  readonly seed: number;
  readonly sensors: readonly SensorVerdict[];
  readonly quarantined: number;
  /** People who walked and are neither at HQ nor still on their way. */
  readonly lost: number;
  readonly doubled: number;
  /** Messages that arrived twice and were counted once. */
  readonly duplicates: number;
  readonly faults: readonly string[];
  /** Rows of other stores that the managers saw. */
  readonly foreign_rows: number;
  readonly equal: boolean;
}

interface Options {
  readonly for_s: number;
  readonly seed: number;
  readonly rate_per_min: number;
}

class Demo {
  readonly #options: Options;
  readonly #folder = mkdtempSync(join(tmpdir(), 'footbridge-demo-'));
  readonly #table = new LiveTable();
  readonly #events: string[] = [];
  #hq: Headquarters | undefined;
  #stores: Store[] = [];

  constructor(options: Options) {
    this.#options = options;
  }

  async run(interrupted: AbortSignal): Promise<Result> {
    const hq = await this.#open();
    const seconds = await this.#letPeopleWalk(hq, interrupted);
    await Promise.all(this.#stores.map((store) => store.hold()));
    await this.#delivered();
    return this.#judge(hq, seconds);
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
    await this.#hq?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #open(): Promise<Headquarters> {
    const { seed, rate_per_min } = this.#options;
    const hq = await Headquarters.start(join(this.#folder, 'hq'), clock);
    this.#hq = hq;
    for (const slug of new Set(plans.map((plan) => plan.organization))) {
      await hq.addOrganization(slug);
    }
    for (const [i, plan] of plans.entries()) {
      const token = await hq.addStore(plan);
      const folder = join(this.#folder, plan.code);
      const own = { plan, folder, token, seed: seed + 100 * i };
      const store = new Store({ ...own, rate_per_min, hq_url: hq.url, clock });
      this.#stores.push(store);
      await store.open();
    }
    return hq;
  }

  /** @returns for how long people walked, seconds. */
  async #letPeopleWalk(hq: Headquarters, interrupted: AbortSignal): Promise<number> {
    const { for_s } = this.#options;
    const cycle = Number.isFinite(for_s) ? for_s : cycle_s;
    const start = clock.monotonic();
    let due = faultsOf(hq.link, this.#stores);
    let cycles = 0;
    let elapsed_s = 0;
    for (; elapsed_s < for_s && !interrupted.aborted; elapsed_s += 1) {
      const [fault] = due;
      if (fault !== undefined && elapsed_s - cycles * cycle >= fault.at * cycle) {
        due = due.slice(1);
        this.#events.push(fault.text);
        await fault.happen();
      }
      if (due.length === 0 && elapsed_s - cycles * cycle >= cycle) {
        due = faultsOf(hq.link, this.#stores);
        cycles += 1;
      }
      await this.#show(hq, elapsed_s);
      await clock.sleep(start + (elapsed_s + 1) * 1000 - clock.monotonic(), interrupted);
    }
    for (const fault of due) {
      this.#events.push(fault.text);
      await fault.happen();
    }
    return elapsed_s;
  }

  #views: StoreView[] = [];

  async #show(hq: Headquarters, elapsed_s: number): Promise<void> {
    if (elapsed_s % hq_look_s === 0) {
      this.#views = await Promise.all(
        this.#stores.map(async (store) => ({
          plan: store.plan,
          truths: await store.truth(),
          status: await store.status(),
          hours: await hq.hours(store.plan, store.plan.manager),
        })),
      );
    } else {
      this.#views = await Promise.all(
        this.#views.map(async (view, i) => ({
          ...view,
          truths: (await this.#stores[i]?.truth()) ?? [],
          status: (await this.#stores[i]?.status()) ?? null,
        })),
      );
    }
    this.#table.show(elapsed_s, this.#events, this.#views);
  }

  /** Waits until polled counters have reported and every buffer is empty. */
  async #delivered(): Promise<void> {
    await clock.sleep(2 * report_interval_s * 1000);
    const deadline = clock.monotonic() + delivery_deadline_s * 1000;
    while (clock.monotonic() < deadline) {
      const statuses = await Promise.all(this.#stores.map((store) => store.status()));
      if (statuses.every((status) => status?.buffer.buffered === 0)) return;
      await clock.sleep(200);
    }
  }

  /** HQ's hours follow its raw rows within seconds; they are read until they agree or time is up. */
  async #judge(hq: Headquarters, seconds: number): Promise<Result> {
    const deadline = clock.monotonic() + delivery_deadline_s * 1000;
    let verdicts = await this.#verdicts(hq);
    while (!isEqual(verdicts) && clock.monotonic() < deadline) {
      await clock.sleep(1_000);
      verdicts = await this.#verdicts(hq);
    }
    const statuses = await Promise.all(this.#stores.map((store) => store.status()));
    const sum = (of: (status: NonNullable<(typeof statuses)[number]>) => number) =>
      statuses.reduce((all, status) => all + (status === null ? 0 : of(status)), 0);
    const foreign_rows = await this.#foreignRows(hq);
    return {
      seconds,
      seed: this.#options.seed,
      sensors: verdicts,
      quarantined: sum((status) => status.buffer.quarantined.reduce((all, q) => all + q.count, 0)),
      ...differences(verdicts),
      duplicates: sum((status) => status.ignored['duplicate'] ?? 0),
      faults: this.#events,
      foreign_rows,
      equal: isEqual(verdicts) && foreign_rows === 0,
    };
  }

  async #verdicts(hq: Headquarters): Promise<SensorVerdict[]> {
    const judged = this.#stores.map(async (store) => {
      const hours = await hq.hours(store.plan, store.plan.manager);
      return judgeStore(store.plan, await store.truth(), hours);
    });
    return (await Promise.all(judged)).flat();
  }

  /** The wall between stores: what each manager sees of the store of the next one. */
  async #foreignRows(hq: Headquarters): Promise<number> {
    const looks = plans.flatMap(({ manager }) =>
      plans
        .filter((other) => other.manager !== manager)
        .map((other) => hq.hours(other, manager).catch(() => [])),
    );
    return (await Promise.all(looks)).reduce((sum, rows) => sum + rows.length, 0);
  }
}

function isEqual(verdicts: readonly SensorVerdict[]): boolean {
  const { lost, doubled } = differences(verdicts);
  return lost === 0 && doubled === 0 && verdicts.every((each) => each.wrong_hours.length === 0);
}

function print(result: Result): void {
  printTable(
    ['STORE', 'DOOR', 'WALKED IN', 'OUT', 'AT HQ IN', 'OUT', 'WRONG HOURS'],
    result.sensors.map(({ organization, store, sensor_id, truth, hq, wrong_hours }) => [
      `${organization}/${store}`,
      sensor_id,
      ...[truth.in, truth.out, hq.in, hq.out].map(String),
      wrong_hours.join(' '),
    ]),
  );
  const { lost, doubled, duplicates, quarantined } = result;
  printLine(
    `lost ${lost}, doubled ${doubled}, sent twice and counted once ${duplicates}, quarantined ${quarantined}`,
  );
  printLine(
    result.equal ? 'Every person stands at HQ exactly once.' : 'HQ differs from the truth.',
  );
}

/** @throws FootbridgeError usage */
function positive(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (value > 0) return value;
  throw new FootbridgeError('usage', `--${option} is "${text}"; it takes a number above 0`);
}

const program = new Command('demo')
  .description('Two organizations, three stores, seven doors, and everything that goes wrong.')
  .option('--for <seconds>', 'let people walk for this long (default: until Ctrl-C)')
  .option('--seed <number>', 'the same seed gives the same people')
  .option('--rate <people>', 'people a minute through each door', '40')
  .option('--json', 'print one JSON document as the last line')
  .addHelpText('after', '\nExample:\n  npm run demo -- --for 60 --json')
  .parse();
const options = program.opts<{ for?: string; seed?: string; rate: string; json?: boolean }>();

const interrupt = new AbortController();
process.on('SIGINT', () => interrupt.abort());
process.on('SIGTERM', () => interrupt.abort());
let demo: Demo | undefined;
try {
  demo = new Demo({
    for_s: positive('for', options.for, Number.POSITIVE_INFINITY),
    seed: positive('seed', options.seed, Math.floor(clock.random() * 1e6) + 1),
    rate_per_min: positive('rate', options.rate, 40),
  });
  const result = await demo.run(interrupt.signal);
  print(result);
  if (options.json === true) printLine(JSON.stringify(result));
  process.exitCode = result.equal ? exitCode.good : exitCode.fault;
} catch (error) {
  printError(error);
} finally {
  await demo?.close();
}
process.exit();
