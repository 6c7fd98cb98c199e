import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { shortRows } from '../../gateway/buffer/schema-of-short-rows.ts';
import { schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { toKnownSchema } from '../../gateway/buffer/schema-version.ts';
import { keyBytes, keyOfText, messageKey } from '../../gateway/meters/message-key.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const newPath = () => join(workspace.folder(), 'buffer.sqlite');
const identity = { epoch: '019ff000-0000-7000-8000-000000000000', now: 0 };
/** Of the last program that writes whole times and keys as text. */
const before = schemaSteps.slice(0, schemaSteps.indexOf(shortRows));
const noon = 1_767_225_600_000;

function withLog<T>(path: string, use: (log: ReadingLog) => T): T {
  const log = new ReadingLog(openBuffer(path, identity).connection, null);
  try {
    return use(log);
  } finally {
    log.close();
  }
}

interface Seen {
  readonly observed_at: number;
  readonly received_at: number;
  readonly id: string | null;
}

function commit(path: string, seen: readonly Seen[]): void {
  const draft = new GroupDraft();
  for (const { id, ...times } of seen) {
    const shared = { sensor_id: 'door', interval_s: 60, flags: 0, in: 1, out: 0 };
    const readings = [{ kind: 'count' as const, ...shared, ...times }];
    const dedupe_key = id === null ? null : messageKey(id);
    draft.add({ readings, dedupe_key, meter: null, quarantined: [] });
  }
  withLog(path, (log) => log.commit(draft.finish()));
}

/** What a program with these steps reads in the file. */
function read(path: string, sql: string, steps = schemaSteps): unknown[] {
  const connection = new Database(path);
  toKnownSchema(connection, identity, steps);
  try {
    return connection.prepare(sql).all();
  } finally {
    connection.close();
  }
}

const instant = fc.integer({ min: 1_420_070_400_000, max: 4_102_444_800_000 });
const distance = fc.oneof(
  fc.integer({ min: -120_000, max: 120_000 }),
  fc.constantFrom(-(2 ** 31) - 1, -(2 ** 31), 2 ** 31 - 1, 2 ** 31),
);
const seen = fc
  .record({ observed_at: instant, after: distance, id: fc.option(fc.string()) })
  .map(({ observed_at, after, id }) => ({ observed_at, received_at: observed_at + after, id }));

test('times and keys come back as they were, and as an older program writes them too', () => {
  const times = 'SELECT observed_at, received_at FROM readings ORDER BY sequence';
  fc.assert(
    fc.property(fc.array(seen, { minLength: 1, maxLength: 20 }), (rows) => {
      const path = newPath();
      commit(path, rows);
      const told = rows.map(({ observed_at, received_at }) => ({ observed_at, received_at }));
      const keys = rows.flatMap(({ id }) => (id === null ? [] : [messageKey(id)]));
      const recovered = () =>
        withLog(path, (log) => log.recover().keys.map(({ dedupe_key }) => keyOfText(dedupe_key)));
      expect(read(path, times)).toEqual(told);
      expect(recovered()).toEqual(keys);

      expect(read(path, times, before)).toEqual(told);
      const text = 'SELECT dedupe_key FROM readings WHERE dedupe_key IS NOT NULL ORDER BY sequence';
      expect(read(path, text, before)).toEqual(
        keys.map((key) => ({ dedupe_key: keyBytes(key).toString('base64') })),
      );
      expect(read(path, times)).toEqual(told);
      expect(recovered()).toEqual(keys);
    }),
    { numRuns: 40 },
  );
});

test('a minute count and its key take 40 bytes of the file at most', () => {
  const path = newPath();
  const rows = Array.from({ length: 1_000 }, (_, i) => {
    const observed_at = noon + i * 60_000;
    return { observed_at, received_at: observed_at + 61_234, id: `"${i}"` };
  });
  commit(path, rows);
  const [row] = read(
    path,
    `SELECT sum(payload) / sum(ncell) AS bytes FROM dbstat
     WHERE name = 'readings' AND pagetype = 'leaf'`,
  );
  expect(row).toEqual({ bytes: expect.toSatisfy((bytes: number) => bytes <= 40) });
});

test('what an older program stored stays where it is: the step writes no row anew', () => {
  const path = newPath();
  const connection = new Database(path);
  toKnownSchema(connection, identity, before);
  connection.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO readings (sequence, sensor, observed_at, interval_s, received_at, flags, dedupe_key)
    SELECT i, 1, ${noon} + i * 60000, 60, ${noon} + i * 60000 + 61000, 0, 'text' FROM n`);
  connection.pragma('journal_mode = WAL');
  toKnownSchema(connection, identity);
  const [journal] = connection.pragma('wal_checkpoint(PASSIVE)') as { log: number }[];
  expect(journal?.log).toBeLessThan(50);
  const kept = 'SELECT count(*) AS rows, min(received_at - observed_at) AS after FROM readings';
  expect(connection.prepare(kept).get()).toEqual({ rows: 20_000, after: 61_000 });
  connection.close();
});
