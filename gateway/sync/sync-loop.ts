/**
 * Sends the buffer to HQ in two lanes: the newest readings at once, and beside them the backlog, as
 * many batches at a time as HQ grants. One lane's trouble does not hold up the other.
 */
import type { Part } from '../../shared/runtime/lifecycle.ts';
import { backlog_lanes_max } from '../../shared/wire/batch.ts';
import { DeliveryLane, type LaneOptions, type LaneStatus, newLanes } from './delivery-lane.ts';

export interface SyncStatus {
  readonly state: LaneStatus['state'] | 'stopped';
  /** Why the last try failed, or null. */
  readonly error: string | null;
  /** ms since the epoch of the last batch that HQ settled, or null. */
  readonly last_delivered_at: number | null;
  /** The same of the backlog alone: HQ may take the present and not the past. */
  readonly backlog_delivered_at: number | null;
}

/** Whatever a person should hear of first. */
const urgency: readonly LaneStatus['state'][] = ['refused', 'retrying', 'delivering', 'idle'];

export class SyncLoop implements Part {
  readonly name = 'sync';
  readonly #options: LaneOptions;
  readonly #lanes: readonly DeliveryLane[];
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(options: LaneOptions) {
    const together = newLanes();
    this.#options = options;
    const backlog = Array.from(
      { length: backlog_lanes_max },
      (_, place) => new DeliveryLane('backlog', place, options, together),
    );
    this.#lanes = [new DeliveryLane('live', 0, options, together), ...backlog];
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#isStopped = true;
  }

  /** The first request waits for its share of an interval too: a region's power comes back at once. */
  async #run(): Promise<void> {
    const { clock, send_interval_ms } = this.#options;
    const { signal } = this.#stop;
    await clock.sleep(clock.random() * send_interval_ms, signal);
    await Promise.all(this.#lanes.map((lane) => lane.run(signal)));
  }

  status(): SyncStatus {
    const lanes = this.#lanes.map((lane) => lane.status());
    const state = urgency.find((one) => lanes.some((lane) => lane.state === one)) ?? 'idle';
    const latest = (some: readonly LaneStatus[]) => {
      const delivered = some.map((lane) => lane.last_delivered_at).filter((at) => at !== null);
      return delivered.length === 0 ? null : Math.max(...delivered);
    };
    return {
      state: this.#isStopped ? 'stopped' : state,
      error: lanes.find((lane) => lane.state === state)?.error ?? null,
      last_delivered_at: latest(lanes),
      backlog_delivered_at: latest(lanes.slice(1)),
    };
  }
}
