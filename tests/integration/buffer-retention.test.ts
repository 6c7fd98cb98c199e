import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import type { LogLimits } from '../../gateway/buffer/quota.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const identity = { epoch: '019ff000-0000-7000-8000-000000000000', now: 0 };

function opened(limits: Partial<LogLimits>) {
  const { connection } = openBuffer(join(workspace.folder(), 'buffer.sqlite'), identity);
  const log = new ReadingLog(connection, null, limits);
  const kept = connection.prepare('SELECT min(sequence), max(sequence) FROM readings').raw();
  return { log, kept: () => kept.get() };
}

/** Minute counts of one door, which could be added together. */
function count(log: ReadingLog, from: number, to: number): void {
  const draft = new GroupDraft();
  for (let minute = from; minute <= to; minute += 1) {
    const observed_at = 1_767_225_600_000 + minute * 60_000;
    const shared = { sensor_id: 'door', observed_at, interval_s: 60, flags: 0 };
    const readings = [
      { kind: 'count' as const, ...shared, in: 1, out: 0, received_at: observed_at },
    ];
    draft.add({ readings, dedupe_key: null, meter: null, quarantined: [] });
  }
  log.commit(draft.finish());
}

function deliver(log: ReadingLog, rows_max: number): void {
  const sent = log.nextBatch('backlog', { rows_max, batch_id: 'batch', held: [] });
  if (sent !== null) log.settle(sent.batch, [], 0);
}

test('as many delivered readings stay as the settings say', () => {
  const { log, kept } = opened({ delivered_rows: 50 });
  count(log, 1, 200);
  deliver(log, 120);
  expect(kept()).toEqual([71, 200]);
  log.close();
});

test('near the quota delivered readings go before any are added together', () => {
  // What the same readings take where nothing goes; near is nine tenths.
  const all = opened({});
  count(all.log, 1, 2_000);
  const quota_bytes = Math.round(all.log.stats().used_bytes * 0.8);
  all.log.close();
  const { log, kept } = opened({ delivered_rows: 1_000_000, rows_kept: 100, quota_bytes });
  let minute = 0;
  const more = () => {
    count(log, minute + 1, minute + 500);
    minute += 500;
  };
  more();
  deliver(log, 400);
  while (minute < 2_000) more();
  // All 400 went in time; 1,600 wait as they came, and there was room for them.
  expect(log.stats()).toMatchObject({ coalesced: 0, buffered: 1_600 });
  expect(kept()).toEqual([401, 2_000]);
  log.close();
});
