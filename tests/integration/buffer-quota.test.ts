import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { Lane } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { messageKey } from '../../gateway/meters/message-key.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { type Batch, batchSchema } from '../../shared/wire/batch.ts';
import type { Reading } from '../../shared/wire/reading.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const start = 1_767_225_600_000;
const quarter_ms = 900_000;
const coalesced_flag = 64;

interface Limits {
  readonly quota_bytes: number;
  readonly rows_kept: number;
}

function openLog(limits: Limits, path = join(workspace.folder(), 'buffer.sqlite')): ReadingLog {
  const { connection } = openBuffer(path, { epoch: systemClock.uuid(), now: 0 });
  return new ReadingLog(connection, null, limits);
}

/** Minute counts of some doors and one zone, in the order of their arrival. */
function reading(i: number): Reading {
  const shared = {
    observed_at: start + Math.floor(i / 4) * 60_000,
    interval_s: 60,
    received_at: start + Math.floor(i / 4) * 60_000 + 61_000,
    flags: 0,
  };
  const door = i % 4;
  if (door === 3) {
    const zone = {
      sensor_id: 'cam',
      region_id: 'till',
      occupancy: i % 5,
      dwell_s: null,
      dwell_max_s: null,
    };
    return { kind: 'zone', ...shared, ...zone };
  }
  return { kind: 'count', ...shared, sensor_id: `door-${door}`, in: i % 7, out: i % 3 };
}

function commit(log: ReadingLog, readings: readonly Reading[]): boolean {
  const draft = new GroupDraft();
  for (const each of readings) {
    const key = `${each.sensor_id} ${each.observed_at}`;
    draft.add({ readings: [each], dedupe_key: messageKey(key), meter: null, quarantined: [] });
  }
  try {
    log.commit(draft.finish());
    return true;
  } catch (error) {
    if (error instanceof FootbridgeError && error.code === 'buffer_quota') return false;
    throw error;
  }
}

/** HQ as it is: a reading counts once under its name, another under a taken name is refused. */
class Headquarters {
  readonly #rows = new Map<string, string>();
  readonly settled = new Set<number>();
  readonly people = new Map<string, number>();
  readonly seconds = new Map<string, number>();
  coalesced = 0;
  conflicts = 0;

  take({ batch, rows, body }: OutgoingBatch): void {
    const sent = batchSchema.parse(JSON.parse(gunzipSync(body).toString()));
    expect(rows).toBe(sent.counts.sequence.length + sent.zones.sequence.length);
    for (let s = batch.first_sequence; s <= batch.last_sequence; s += 1) this.settled.add(s);
    for (let i = 0; i < sent.counts.sequence.length; i += 1) this.#count(sent, i);
    for (let i = 0; i < sent.zones.sequence.length; i += 1) this.#occupy(sent, i);
  }

  #count({ sensors, counts }: Batch, i: number): void {
    const sensor_id = sensors[counts.sensor[i] ?? 0] ?? '';
    const at = counts.observed_at[i] ?? 0;
    const people = (counts.in[i] ?? 0) + 1000 * (counts.out[i] ?? 0);
    const flags = counts.flags[i] ?? 0;
    const isNew = this.#store(sensor_id, at, people, counts.interval_s[i] ?? 0, flags);
    if (isNew && (flags & coalesced_flag) !== 0) this.coalesced += 1;
  }

  #occupy({ zones }: Batch, i: number): void {
    const [at, people, seconds] = [zones.observed_at, zones.occupancy, zones.interval_s];
    this.#store('cam', at[i] ?? 0, people[i] ?? 0, seconds[i] ?? 0, zones.flags[i] ?? 0);
  }

  #store(sensor_id: string, at: number, people: number, seconds: number, flags: number): boolean {
    const values = JSON.stringify([people, seconds, flags]);
    const known = this.#rows.get(`${sensor_id} ${at}`);
    if (known !== undefined && known !== values) this.conflicts += 1;
    if (known !== undefined) return false;
    this.#rows.set(`${sensor_id} ${at}`, values);
    this.#add(sensor_id, at, people, seconds);
    return true;
  }

  #add(sensor_id: string, at: number, people: number, seconds: number): void {
    const key = `${sensor_id} ${Math.floor(at / quarter_ms)}`;
    this.people.set(key, (this.people.get(key) ?? 0) + people);
    this.seconds.set(key, (this.seconds.get(key) ?? 0) + seconds);
  }
}

/** What stands in the log under a name of its own was appended, so this is the truth. */
function truth(appended: readonly Reading[]) {
  const people = new Map<string, number>();
  const seconds = new Map<string, number>();
  for (const each of appended) {
    const key = `${each.sensor_id} ${Math.floor(each.observed_at / quarter_ms)}`;
    const of = each.kind === 'count' ? each.in + 1000 * each.out : (each.occupancy ?? 0);
    people.set(key, (people.get(key) ?? 0) + of);
    seconds.set(key, (seconds.get(key) ?? 0) + each.interval_s);
  }
  return { people, seconds };
}

/** @returns readings sent. */
function drain(log: ReadingLog, hq: Headquarters): number {
  for (let rows = 0; ; ) {
    const options = { rows_max: 50, held: [], batch_id: systemClock.uuid() };
    const left = log.nextBatch('backlog', options) ?? log.nextBatch('live', options);
    if (left === null) return rows;
    rows += left.rows;
    hq.take(left);
    log.settle(left.batch, [], 0);
  }
}

test('people and watched time of each sensor and quarter hour arrive whole, whatever is added when', () => {
  let coalesced = 0;
  fc.assert(
    fc.property(fc.array(fc.nat(9_999), { minLength: 60, maxLength: 150 }), (steps) => {
      const path = join(workspace.folder(), 'buffer.sqlite');
      const limits = { quota_bytes: 80_000, rows_kept: 20 };
      let log = openLog(limits, path);
      const hq = new Headquarters();
      const appended: Reading[] = [];
      let sent: OutgoingBatch[] = [];
      for (const step of steps) {
        const [done] = sent.splice(step % Math.max(1, sent.length), step % 7 === 0 ? 1 : 0);
        // The answer may be lost after HQ has stored it, and the batch be given up for smaller ones.
        if (done !== undefined && step % 2 === 0) hq.take(done);
        if (done !== undefined && step % 4 === 0) log.settle(done.batch, [], 0);
        else if (done !== undefined) log.abandon(done.batch.batch_id);
        else if (step % 7 < 5) {
          const more = Array.from({ length: 1 + (step % 97) }, (_, i) =>
            reading(appended.length + i),
          );
          if (commit(log, more)) appended.push(...more);
        } else if (step % 31 === 0) {
          log.close();
          log = openLog(limits, path);
          sent = [];
        } else {
          const lane: Lane = step % 2 === 0 ? 'live' : 'backlog';
          const held = sent.map(({ batch }) => batch.batch_id);
          const options = { rows_max: 1 + (step % 40), held, batch_id: systemClock.uuid() };
          const next = log.nextBatch(lane, options);
          if (next !== null) sent.push(next);
        }
      }
      for (const { batch } of sent) log.abandon(batch.batch_id);
      const { buffered } = log.stats();
      coalesced += log.stats().coalesced;
      expect(drain(log, hq)).toBe(buffered);
      expect({ people: hq.people, seconds: hq.seconds }).toEqual(truth(appended));
      expect(hq.conflicts).toBe(0);
      expect(hq.settled.size).toBe(appended.length);
      expect(log.stats()).toMatchObject({ buffered: 0, settled_sequence: appended.length });
      log.close();
    }),
    { numRuns: 10 },
  );
  expect(coalesced).toBeGreaterThan(0);
});

test('what waits is counted in readings that are left, also after a restart', () => {
  const path = join(workspace.folder(), 'buffer.sqlite');
  const limits = { quota_bytes: 230_000, rows_kept: 100 };
  const log = openLog(limits, path);
  for (let from = 0; from < 6_000; from += 100) {
    const more = Array.from({ length: 100 }, (_, i) => reading(from + i));
    expect(commit(log, more)).toBe(true);
  }
  const { buffered, coalesced } = log.stats();
  expect(coalesced).toBeGreaterThan(1_000);
  expect(buffered).toBe(6_000 - coalesced);
  log.close();

  const again = openLog(limits, path);
  expect(again.stats()).toMatchObject({ buffered, coalesced });
  const hq = new Headquarters();
  drain(again, hq);
  expect(hq.coalesced).toBeGreaterThan(0);
  expect(again.stats()).toMatchObject({ buffered: 0, settled_sequence: 6_000 });
  again.close();
});

test('readings that a batch has held are never added to others', () => {
  const log = openLog({ quota_bytes: 130_000, rows_kept: 0 });
  const first = Array.from({ length: 400 }, (_, i) => reading(i));
  expect(commit(log, first)).toBe(true);
  const options = { rows_max: 400, held: [], batch_id: systemClock.uuid() };
  const sent = log.nextBatch('backlog', options) ?? log.nextBatch('live', options);
  log.abandon(sent?.batch.batch_id ?? '');
  for (let from = 400; from < 3_000; from += 50) {
    commit(
      log,
      Array.from({ length: 50 }, (_, i) => reading(from + i)),
    );
  }
  expect(log.stats().coalesced).toBeGreaterThan(0);
  const again = log.nextBatch('backlog', { ...options, batch_id: systemClock.uuid() });
  const { counts } = batchSchema.parse(JSON.parse(gunzipSync(again?.body ?? '').toString()));
  expect(counts.flags.every((flags) => (flags & coalesced_flag) === 0)).toBe(true);
  log.close();
});

test('at the quota with nothing left to add nothing more is taken, and delivery makes room again', () => {
  const log = openLog({ quota_bytes: 100_000, rows_kept: 0 });
  let is_full = false;
  const appended: Reading[] = [];
  // Each a quarter hour of its own.
  for (let from = 0; from < 10_000 && !is_full; from += 50) {
    const more = Array.from({ length: 50 }, (_, i) => {
      return { ...reading(0), observed_at: start + (from + i) * quarter_ms };
    });
    is_full = !commit(log, more);
    if (!is_full) appended.push(...more);
  }
  expect(is_full).toBe(true);
  expect(log.stats()).toMatchObject({ buffered: appended.length, coalesced: 0 });
  const hq = new Headquarters();
  drain(log, hq);
  expect(hq.people).toEqual(truth(appended).people);
  log.close();
});
