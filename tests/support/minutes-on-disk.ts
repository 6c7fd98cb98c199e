/** A buffer file through several processes, in which people are counted each minute. */
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { HqMemory } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type Batch, batchSchema } from '../../shared/wire/batch.ts';
import { Workspace } from './workspace.ts';

const workspace = new Workspace();
export const start = 1_767_225_600_000;

interface Limits {
  readonly quota_bytes?: number;
  readonly rows_kept?: number;
  readonly delivered_rows?: number;
}

/** A buffer file through several processes; the quota makes them add readings together. */
export class Disk {
  readonly path = join(workspace.folder(), 'buffer.sqlite');
  readonly #limits: Limits;
  #log: ReadingLog | undefined;

  constructor(limits: Limits = {}) {
    this.#limits = limits;
  }

  get log(): ReadingLog {
    this.#log ??= new ReadingLog(
      openBuffer(this.path, { epoch: systemClock.uuid(), now: 0 }).connection,
      null,
      this.#limits,
    );
    return this.#log;
  }

  restart(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  /** Each minute one person walked in at each door. */
  count(first: number, last: number, doors = ['door']): void {
    const draft = new GroupDraft();
    for (let minute = first; minute <= last; minute += 1) {
      const observed_at = start + minute * 60_000;
      const shared = { observed_at, interval_s: 60, received_at: observed_at + 61_000, flags: 0 };
      const readings = doors.map((sensor_id) => {
        return { kind: 'count' as const, sensor_id, ...shared, in: 1, out: 0 };
      });
      draft.add({ readings, dedupe_key: null, meter: null, quarantined: [] });
    }
    this.log.commit(draft.finish());
  }

  next(rows_max: number): OutgoingBatch | null {
    const options = { rows_max, held: [], batch_id: systemClock.uuid() };
    return this.log.nextBatch('backlog', options) ?? this.log.nextBatch('live', options);
  }

  /** Sends all that waits. @returns what HQ reads. */
  drain(rows_max = 100): Batch[] {
    const sent: Batch[] = [];
    for (let next = this.next(rows_max); next !== null; next = this.next(rows_max)) {
      sent.push(read(next));
      this.log.settle(next.batch, [], 0);
    }
    return sent;
  }

  hear(epochs: HqMemory['epochs'], isFirst = true) {
    const told = this.log.stats();
    const asked = { ...told, losses: [], held: [], isFirst, now: 0 };
    return this.log.reconcile({ epochs, counted: [] }, asked);
  }
}

function read({ body }: OutgoingBatch): Batch {
  return batchSchema.parse(JSON.parse(gunzipSync(body).toString()));
}

/** Minutes, and people of each. */
export function counted(batches: readonly Batch[]): [minute: number, people: number][] {
  const rows = batches.flatMap(({ counts }) =>
    counts.observed_at.map((at, row): [number, number] => [
      (at - start) / 60_000,
      counts.in[row] ?? 0,
    ]),
  );
  return rows.sort(([a], [b]) => a - b);
}

/** Three doors count in turn, so that each sum has parts far behind it. */
export const doors = ['left', 'middle', 'right'];
export const minutes = 400;

export function nearItsQuota(limits: Limits = {}): Disk {
  const disk = new Disk({ quota_bytes: 60_000, rows_kept: 10, ...limits });
  for (let from = 0; from < minutes; from += 10) disk.count(from, from + 9, doors);
  expect(disk.log.stats().coalesced).toBeGreaterThan(0);
  return disk;
}

export function peopleIn(batches: readonly Batch[]): number {
  return counted(batches).reduce((sum, [, people]) => sum + people, 0);
}
