import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import type { Counted } from '../../gateway/meters/remainder.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { CountReading } from '../../shared/wire/reading.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const minute = 60_000;
const start = 1_767_225_600_000;

function count(from: number, to: number, people: number): CountReading {
  const times = { observed_at: start + from * minute, interval_s: (to - from) * 60 };
  const shared = { sensor_id: 'door', received_at: start + to * minute, flags: 0 };
  return { kind: 'count', ...shared, ...times, in: people, out: 0 };
}

function openLog(path: string): ReadingLog {
  const { connection } = openBuffer(path, { epoch: systemClock.uuid(), now: 0 });
  return new ReadingLog(connection, null);
}

function commit(
  log: ReadingLog,
  readings: readonly CountReading[],
  isFirstInterval: boolean,
): void {
  const draft = new GroupDraft();
  draft.add({ readings, dedupe_key: null, meter: null, quarantined: [], isFirstInterval });
  log.commit(draft.finish());
}

/** HQ answers to a heartbeat: what it has of the epochs is all that was there before the start. */
function hear(log: ReadingLog, counted: Counted[]) {
  const told = log.stats();
  const epochs = told.epochs.map(({ epoch, first_sequence, last_sequence }) => {
    const isEmpty = last_sequence < first_sequence;
    return { epoch, settled: isEmpty ? [] : [[first_sequence, last_sequence] as const] };
  });
  log.reconcile({ epochs, counted }, { ...told, losses: [], isFirst: true, now: 0 });
  const { buffered, held, quarantined } = log.stats();
  return { buffered, held: held.length, quarantined };
}

/** A process that found readings in its log, and holds ten people of the ten minutes that follow. */
function holding(found: readonly CountReading[], isUnderWay = false): ReadingLog {
  const path = join(workspace.folder(), 'buffer.sqlite');
  const before = openLog(path);
  commit(before, found, false);
  if (isUnderWay) before.nextBatch('live', options());
  before.close();
  const log = openLog(path);
  commit(log, [count(10, 20, 10)], true);
  return log;
}

const options = () => ({ rows_max: 10, held: [], batch_id: systemClock.uuid() });
const known = { sensor_id: 'door', since: start + 10 * minute, out: 0, is_unclear: false };

test('an interval of which HQ has nothing becomes a reading when HQ has said so', () => {
  const log = holding([count(0, 10, 3)]);
  expect(log.stats()).toMatchObject({ held: [{ sensor_id: 'door', since: known.since }] });
  expect(log.stats().buffered).toBe(1);
  expect(hear(log, [])).toEqual({ buffered: 1, held: 0, quarantined: [] });
  log.close();
});

test('people that another life delivered are taken off', () => {
  const log = holding([count(0, 10, 3)]);
  hear(log, [{ ...known, readings: 1, in: 4, until: start + 15 * minute }]);
  expect(log.nextBatch('live', options())?.rows).toBe(1);
  expect(log.stats()).toMatchObject({ oldest_unsent_at: start + 15 * minute, quarantined: [] });
  log.close();
});

test('readings of its own log that a clock put into the interval are no other life’s', () => {
  const log = holding([count(0, 10, 3), count(12, 13, 4)]);
  const own = { ...known, readings: 1, in: 4, until: start + 13 * minute };
  expect(hear(log, [own])).toEqual({ buffered: 1, held: 0, quarantined: [] });
  expect(log.stats().oldest_unsent_at).toBe(known.since);
  log.close();
});

test('readings of its own log are its own too where HQ’s answer to them is still missing', () => {
  const log = holding([count(0, 10, 3), count(12, 13, 4)], true);
  const own = { ...known, readings: 1, in: 4, until: start + 13 * minute };
  expect(hear(log, [own])).toMatchObject({ held: 0, quarantined: [] });
  log.close();
});

test('an interval of which HQ could not read all is not counted beside what it may have', () => {
  const unread = { ...known, readings: 0, in: 0, until: start + 20 * minute, is_unclear: true };
  for (const readings of [0, 1_000_000]) {
    const log = holding([count(0, 10, 3), count(12, 13, 4)].slice(0, readings === 0 ? 1 : 2));
    expect(hear(log, [{ ...unread, readings }])).toMatchObject({
      ...{ buffered: 0, held: 0 },
      quarantined: [{ reason: 'counted_by_lost_life', count: 1 }],
    });
    log.close();
  }
});

test('beside readings of its own log nobody can tell what another life delivered', () => {
  const log = holding([count(0, 10, 3), count(12, 13, 4)]);
  const mixed = { ...known, readings: 2, in: 6, until: start + 15 * minute };
  expect(hear(log, [mixed])).toMatchObject({
    ...{ buffered: 0, held: 0 },
    quarantined: [{ reason: 'counted_by_lost_life', count: 1 }],
  });
  log.close();
});
