import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entry } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { toKnownSchema } from '../../gateway/buffer/schema-version.ts';
import { type MeterState, newMeterState } from '../../gateway/meters/meter.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const newPath = () => join(workspace.folder(), 'buffer.sqlite');
const identity = { epoch: '019ff000-0000-7000-8000-000000000000', now: 0 };
/** The last program whose meters are JSON. */
const before_numbers = 7;

function withLog<T>(path: string, use: (log: ReadingLog) => T, as = identity): T {
  const log = new ReadingLog(openBuffer(path, as).connection, null);
  try {
    return use(log);
  } finally {
    log.close();
  }
}

function entry(sensor_id: string, over: Partial<Entry>): Entry {
  const observed_at = 1_767_225_600_000;
  const shared = { sensor_id, observed_at, interval_s: 60, received_at: observed_at, flags: 0 };
  const readings = [{ kind: 'count' as const, ...shared, in: 1, out: 0 }];
  return { readings, dedupe_key: null, meter: null, quarantined: [], ...over };
}

function commit(log: ReadingLog, entries: readonly Entry[]): void {
  const draft = new GroupDraft();
  for (const each of entries) draft.add(each);
  log.commit(draft.finish());
}

const count = fc.integer({ min: 0, max: 1_000_000 });
const at = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 });
const sample = fc.record({ value: fc.oneof(count, fc.constant(0.5)), at });
const counter = fc.oneof(
  { weight: 3, arbitrary: sample.map((seen) => ({ ...seen, held: null })) },
  fc.record({ ...{ value: count, at }, held: fc.record({ first: sample, last: sample }) }),
  fc.record({ ...{ value: count, at }, held: fc.constant(null), fallen: sample }),
);
const meter: fc.Arbitrary<MeterState> = fc.record(
  {
    totals: fc.record({ in: fc.option(counter), out: fc.option(counter) }),
    since: fc.option(at),
    pending: fc.record({ in: count, out: count, flags: fc.nat(255) }),
    starts: fc.record({
      ...{ second: fc.nat(1_900_000_000), in_second: fc.nat(499), displaced: fc.nat(9) },
    }),
    device: fc.constantFrom('counters/1', 'a "quoted" name'),
    reset_marker: fc.constantFrom('2026-01-01', ''),
    uptime: count,
    by_device_time: fc.boolean(),
    account: fc.record({ in: fc.option(count), out: fc.option(count) }),
  },
  { requiredKeys: ['totals', 'since', 'pending', 'starts'] },
);

test('a meter comes back as it was, and as it was for an older program too', () => {
  fc.assert(
    fc.property(fc.array(meter, { minLength: 1, maxLength: 5 }), (states) => {
      const path = newPath();
      const named = states.map((state, i) => ({ sensor_id: `door-${i}`, state }));
      withLog(path, (log) =>
        commit(
          log,
          named.map((each) => entry(each.sensor_id, { meter: each })),
        ),
      );
      expect(withLog(path, (log) => log.recover().meters)).toEqual(named);

      const older = new Database(path);
      toKnownSchema(older, identity, schemaSteps.slice(0, before_numbers));
      const texts = older.prepare('SELECT sensor_id, state FROM meters ORDER BY sensor_id').all();
      older.close();
      const read = (texts as { sensor_id: string; state: string }[]).map((row) => {
        return { ...row, state: { ...newMeterState, ...JSON.parse(row.state) } };
      });
      expect(read).toEqual(named);
      expect(withLog(path, (log) => log.recover().meters)).toEqual(named);
    }),
    { numRuns: 40 },
  );
});

test('what fifty sensors know takes one page of a commit', () => {
  const path = newPath();
  const entries = Array.from({ length: 50 }, (_, i) => {
    const starts = { second: 1_767_225_600 + i, in_second: 0, displaced: 0 };
    const state = { ...newMeterState, since: starts.second * 1000 + 60_000, starts };
    const sensor_id = `door-${i}`;
    return entry(sensor_id, { meter: { sensor_id, state: { ...state, device: `counters/${i}` } } });
  });
  withLog(path, (log) => commit(log, entries));
  const file = new Database(path, { readonly: true });
  const pages = file.prepare("SELECT count(*) FROM dbstat WHERE name = 'meters'").pluck().get();
  expect(pages).toBe(1);
  file.close();
});

test('an older program’s totals are those of all epochs, and what it adds is news to the next', () => {
  const path = newPath();
  const lose = (log: ReadingLog, frames: number) => {
    const frame = { source: 'line', address: '', reason: 'checksum', detail: '', length: 0 };
    const quarantined = [{ ...frame, bytes: new Uint8Array(), received_at: 1 }];
    commit(
      log,
      Array.from({ length: frames }, () => entry('door', { readings: [], quarantined })),
    );
  };
  withLog(path, (log) => lose(log, 3));
  // Another process has an epoch of its own.
  const next = { ...identity, epoch: identity.epoch.replace('0', '1') };
  withLog(path, (log) => lose(log, 2), next);
  const older = new Database(path);
  toKnownSchema(older, identity, schemaSteps.slice(0, before_numbers));
  expect(older.prepare('SELECT count FROM quarantine_totals').pluck().all()).toEqual([5]);
  older.exec('UPDATE quarantine_totals SET count = count + 4');
  older.close();
  withLog(path, (log) => {
    expect(log.stats().quarantined).toMatchObject([{ count: 9 }]);
    log.recover();
    expect(
      log
        .stats()
        .losses.map((total) => total.count)
        .sort(),
    ).toEqual([3, 6]);
  });
});
