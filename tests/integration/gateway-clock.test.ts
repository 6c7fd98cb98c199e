/** A gateway without a battery clock, from its sensors to the batches that HQ would get. */
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { Dating } from '../../gateway/dating.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import { type BootClock, type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type Batch, batchSchema } from '../../shared/wire/batch.ts';
import { readingFlags } from '../../shared/wire/reading.ts';
import { root } from '../rules/sources.ts';
import { eventually } from '../support/frames.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const catalogue = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
const { retimed, date_unknown } = readingFlags;
const minute = 60_000;

/** A machine in a store: the true time runs, its own clock says what it says. */
class Machine {
  truth = Date.parse('2026-03-02T10:07:00Z');
  readonly #path = join(workspace.folder(), 'buffer.sqlite');
  readonly #registry = new SensorRegistry(join(workspace.folder(), 'sensors.json'), catalogue);
  #boots = 0;
  #booted_at = 0;
  #wrong_by = 0;
  #daemon: { buffer: ReadingBuffer; dating: Dating; pipeline: Pipeline } | undefined;
  readonly #clock: Clock = {
    ...systemClock,
    now: () => this.truth + this.#wrong_by,
    after: (ms, run) => systemClock.after(Math.min(ms, 2), run),
  };
  readonly #boot: BootClock = {
    boot_id: '',
    uptime_ms: () => this.truth - this.#booted_at,
  };

  constructor() {
    const common = { name: 'Door', source: 'sensors' };
    const pair = (sensor_id: string, profile: string) =>
      this.#registry.pair({ ...common, sensor_id, profile, topic: sensor_id }, () => {});
    pair('crossing', 'json-crossing');
    pair('total', 'json-total');
    pair('interval', 'json-interval');
    workspace.onEnd(() => this.#stop());
  }

  /** Starts anew, with a clock that says `clock`; true without one. */
  async boot(clock?: string): Promise<void> {
    await this.#stop();
    this.#boots += 1;
    this.#booted_at = this.truth;
    this.#wrong_by = clock === undefined ? 0 : Date.parse(clock) - this.truth;
    await this.startDaemon();
  }

  async startDaemon(): Promise<void> {
    await this.#stop();
    const clock = this.#clock;
    const { buffer, recovered } = await ReadingBuffer.open({
      path: this.#path,
      mode: 'prompt',
      quota_bytes: Number.POSITIVE_INFINITY,
      clock,
      log: silentLog,
    });
    const boot = { ...this.#boot, boot_id: `boot-${this.#boots}` };
    const dating = new Dating({ buffer, recovered, boot, clock, log: silentLog });
    const pipeline = new Pipeline({
      registry: this.#registry,
      buffer,
      recovered,
      dating,
      runScript: () => Promise.reject(new Error('no script is expected')),
      report_interval_ms: minute,
      clock,
      log: silentLog,
    });
    this.#daemon = { buffer, dating, pipeline };
    dating.start();
  }

  setClock(): void {
    this.#wrong_by = 0;
  }

  say(sensor: string, payload: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(payload));
    const received_at = this.#clock.now();
    return this.#running.pipeline.accept({
      source: 'sensors',
      address: sensor,
      bytes,
      received_at,
    });
  }

  get undated(): Promise<number> {
    return this.#running.buffer.stats().then(({ undated }) => undated);
  }

  async caughtUp(): Promise<void> {
    const { dating } = this.#running;
    await eventually('everything is dated', () => !dating.waits && dating.caughtUp === null);
  }

  /** What an HQ that has nothing would get now, in the order of the log. */
  async delivered() {
    const { buffer } = this.#running;
    const asked = { ...(await buffer.stats()), losses: [], isFirst: true };
    await buffer.reconcile({ epochs: [], counted: [] }, asked);
    const batches: Batch[] = [];
    for (;;) {
      const held = batches.map(({ batch_id }) => batch_id);
      const sent =
        (await buffer.nextBatch('backlog', 5_000, held)) ??
        (await buffer.nextBatch('live', 5_000, held));
      if (sent === null) break;
      batches.push(batchSchema.parse(JSON.parse(gunzipSync(sent.body).toString())));
    }
    batches.sort((one, other) => one.first_sequence - other.first_sequence);
    return batches.flatMap(({ sensors, counts }) =>
      counts.sequence.map((_, i) => ({
        sensor: sensors[counts.sensor[i] ?? 0] ?? '',
        observed_at: counts.observed_at[i] ?? 0,
        in: counts.in[i] ?? 0,
        flags: counts.flags[i] ?? 0,
      })),
    );
  }

  get #running() {
    if (this.#daemon === undefined) throw new Error('the daemon does not run');
    return this.#daemon;
  }

  async #stop(): Promise<void> {
    this.#daemon?.dating.stop();
    await this.#daemon?.buffer.close();
    this.#daemon = undefined;
  }
}

test('what came before the clock was set goes to HQ afterwards, with its true time', async () => {
  const machine = new Machine();
  await machine.boot('1970-01-01T00:00:20Z');
  const crossings = [machine.truth];
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 8 * minute;
  crossings.push(machine.truth);
  await machine.say('crossing', { direction: 'in', id: 2 });
  expect(await machine.delivered()).toEqual([]);
  expect(await machine.undated).toBe(2);

  machine.setClock();
  await machine.caughtUp();
  const delivered = await machine.delivered();
  expect(delivered).toMatchObject([
    { in: 1, flags: retimed },
    { in: 1, flags: retimed },
  ]);
  delivered.forEach(({ observed_at }, i) => {
    expect(Math.abs(observed_at - (crossings[i] ?? 0))).toBeLessThan(1000);
  });
  expect(await machine.undated).toBe(0);
});

test('a device with a clock of its own is believed, although the gateway had none', async () => {
  const machine = new Machine();
  await machine.boot('2000-01-01T00:00:00Z');
  await machine.say('interval', {
    id: 1,
    from: '2026-03-02T10:05:00Z',
    to: '2026-03-02T10:06:00Z',
    in: 4,
    out: 0,
  });
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toEqual([
    { sensor: 'interval', observed_at: Date.parse('2026-03-02T10:05:00Z'), in: 4, flags: retimed },
  ]);
});

test('a daemon that starts again within the boot dates what the one before it had heard', async () => {
  const machine = new Machine();
  await machine.boot('1970-01-01T00:00:20Z');
  const heard_at = machine.truth;
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 3 * minute;
  await machine.startDaemon();
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 3 * minute;
  machine.setClock();
  await machine.startDaemon();
  await machine.caughtUp();
  expect(await machine.delivered()).toEqual([
    { sensor: 'crossing', observed_at: heard_at, in: 1, flags: retimed },
  ]);
});

test('a boot that ended before its clock was set is dated as late as can be, and says so', async () => {
  const machine = new Machine();
  await machine.boot('1970-01-01T00:00:20Z');
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 4 * minute;
  await machine.say('crossing', { direction: 'in', id: 2 });
  machine.truth += 30 * minute;
  await machine.boot('1970-01-01T00:00:20Z');
  const booted_at = machine.truth;
  machine.truth += minute;
  await machine.say('crossing', { direction: 'in', id: 3 });
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toMatchObject([
    { observed_at: booted_at - 4 * minute, in: 1, flags: retimed | date_unknown },
    { observed_at: booted_at, in: 1, flags: retimed | date_unknown },
    { observed_at: booted_at + minute, in: 1, flags: retimed },
  ]);
});

test('a clock that goes on from before the last count is not believed', async () => {
  const machine = new Machine();
  await machine.boot();
  await machine.say('crossing', { direction: 'in', id: 1 });
  const saved = new Date(machine.truth - 10 * minute).toISOString();
  machine.truth += 120 * minute;
  await machine.boot(saved);
  await machine.say('crossing', { direction: 'in', id: 2 });
  expect(await machine.undated).toBe(1);
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toMatchObject([
    { flags: 0 },
    { observed_at: machine.truth, flags: retimed },
  ]);
});

/** Told apart from the first total, which is a baseline. */
const first_total = 100;
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('person' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('daemon', 'reboot', 'set') }) },
);

test('law: whatever ends and starts in between, every person is counted once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const machine = new Machine();
      await machine.boot('1970-01-01T00:00:20Z');
      let people = 0;
      await machine.say('total', { in: first_total, out: 0 });
      for (const { what } of steps) {
        machine.truth += 20_000;
        if (what === 'daemon') await machine.startDaemon();
        else if (what === 'reboot') await machine.boot('1970-01-01T00:00:20Z');
        else if (what === 'set') machine.setClock();
        else {
          people += 1;
          await Promise.all([
            machine.say('total', { in: first_total + people, out: 0 }),
            machine.say('crossing', { direction: 'in', id: people }),
          ]);
        }
      }
      machine.setClock();
      await machine.caughtUp();
      machine.truth += 2 * minute;
      await machine.say('total', { in: first_total + people, out: 0 });
      const delivered = await machine.delivered();
      const sum = (sensor: string) =>
        delivered.reduce((all, row) => (row.sensor === sensor ? all + row.in : all), 0);
      expect([sum('crossing'), sum('total')]).toEqual([people, people]);
      expect(delivered.every(({ observed_at }) => observed_at > Date.UTC(2026, 0, 1))).toBe(true);
    }),
    { numRuns: 4 },
  );
});
