/** A machine in a store whose own clock may be wrong, from its sensors to what HQ would get. */
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import type { ClockWitness } from '../../gateway/clock-witness.ts';
import { Dating } from '../../gateway/dating.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import { type BootClock, type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type Batch, batchSchema } from '../../shared/wire/batch.ts';
import { root } from '../rules/sources.ts';
import { eventually } from './frames.ts';
import type { Workspace } from './workspace.ts';

const catalogue = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
const minute = 60_000;
const nobody = { confirms: false };

/** A machine in a store: the true time runs, its own clock says what it says. */
export class Machine {
  truth = Date.parse('2026-03-02T10:07:00Z');
  readonly #path: string;
  readonly #registry: SensorRegistry;
  readonly #witness: Pick<ClockWitness, 'confirms'>;
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

  constructor(workspace: Workspace, witness: Pick<ClockWitness, 'confirms'> = nobody) {
    this.#path = join(workspace.folder(), 'buffer.sqlite');
    this.#registry = new SensorRegistry(join(workspace.folder(), 'sensors.json'), catalogue);
    this.#witness = witness;
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
    const dating = new Dating({
      ...{ buffer, recovered, boot, clock, log: silentLog },
      witness: this.#witness,
    });
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
