import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { type SchemaStep, schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { toKnownSchema } from '../../gateway/buffer/schema-version.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { batchSchema } from '../../shared/wire/batch.ts';
import { root } from '../rules/sources.ts';
import { Workspace } from '../support/workspace.ts';

type Connection = Database.Database;

const workspace = new Workspace();
const cases = join(root, 'tests/cases/buffer');
/** The first file that knows of batches settled out of order. */
const first_with_lanes = 3;
/** The first file with sequences that have no row of their own. */
const first_with_holes = 6;
const newest = schemaSteps.length;
/** One file for each schema that a program ever had: `.dump` of sqlite3, and its user_version. */
const versions = readdirSync(cases)
  .map((name) => Number(/^schema-(\d+)\.sql$/.exec(name)?.[1]))
  .sort((a, b) => a - b);
const latest = versions.at(-1) ?? 0;
const identity = { epoch: systemClock.uuid(), now: 0 };

/** The file of a store as the program of that version left it, with a backlog. */
function fileOf(version: number): string {
  const path = join(workspace.folder(), 'buffer.sqlite');
  const connection = new Database(path);
  connection.exec(readFileSync(join(cases, `schema-${version}.sql`), 'utf8'));
  connection.close();
  return path;
}

/** What a program with that many steps finds, or leaves behind. */
function asProgramOf<T>(path: string, version: number, look: (connection: Connection) => T): T {
  const connection = new Database(path);
  try {
    toKnownSchema(connection, identity, schemaSteps.slice(0, version));
    return look(connection);
  } finally {
    connection.close();
  }
}

/** Readings, people and zone counts of each sensor, whatever the schema. */
function counted(connection: Connection): unknown[] {
  const columns = connection.prepare('SELECT name FROM pragma_table_info(?)').pluck();
  const isNamed = columns.all('readings').includes('sensor_id');
  const [sensor, region, words] = isNamed
    ? ['sensor_id', 'region_id', '']
    : ['s.word', 'r.word', 'JOIN words s ON s.id = sensor LEFT JOIN words r ON r.id = region'];
  return connection
    .prepare(
      `SELECT ${sensor} AS sensor, ${region} AS region, count(*) AS readings,
         sum(in_count) AS "in", sum(out_count) AS out, sum(occupancy) AS occupancy,
         sum(dwell_s) AS dwell_s, sum(interval_s) AS seconds, count(dedupe_key) AS keys
       FROM readings ${words} GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all();
}

/** Every row of every table of those that the other file has, with its columns. */
function contents(connection: Connection, like: readonly string[]): Record<string, unknown[]> {
  return Object.fromEntries(
    like.map((table) => [table, connection.prepare(`SELECT * FROM ${table}`).all()]),
  );
}

function tablesOf(connection: Connection): string[] {
  const named = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
  return connection.prepare(named).pluck().all() as string[];
}

/** Sends all that waits, as the gateway does. @returns people and batch ids that HQ hears of. */
function deliver(path: string) {
  const { connection } = openBuffer(path, identity);
  const log = new ReadingLog(connection, null);
  const heard = { rows: 0, in: 0, out: 0, batches: [] as string[] };
  for (let i = 0; ; i += 1) {
    const batch_id = `019ff000-0000-4000-8000-30000000${1000 + i}`;
    const lane = { rows_max: 25, batch_id, held: [] };
    const sent = log.nextBatch('live', lane) ?? log.nextBatch('backlog', lane);
    if (sent === null) break;
    const { counts, zones } = batchSchema.parse(JSON.parse(gunzipSync(sent.body).toString()));
    heard.rows += counts.sequence.length + zones.sequence.length;
    for (const people of counts.in) heard.in += people ?? 0;
    for (const people of counts.out) heard.out += people ?? 0;
    heard.batches.push(sent.batch.batch_id);
    log.settle(sent.batch, [], i);
  }
  const left = log.stats().buffered;
  log.close();
  return { ...heard, left };
}

describe.each(versions)('the file of schema %i with a backlog', (version) => {
  test('comes to the newest schema and back as it was', () => {
    const path = fileOf(version);
    const before = new Database(path);
    const tables = tablesOf(before);
    const [was, sums] = [contents(before, tables), counted(before)];
    before.close();
    expect(asProgramOf(path, newest, counted)).toEqual(sums);
    const after = asProgramOf(path, version, (back) => contents(back, tables));
    expect(after).toEqual(was);
  });

  test('is delivered by this program: each reading once, the batch under way under its id', () => {
    const path = fileOf(version);
    const waiting = new Database(path)
      .prepare(
        `SELECT count(*) AS rows, sum(in_count) AS "in", sum(out_count) AS out FROM readings
         WHERE sequence > (SELECT settled_sequence FROM life)
           AND NOT EXISTS (SELECT 1 FROM batches WHERE ${version < first_with_lanes ? 'false' : 'is_settled'}
             AND sequence BETWEEN first_sequence AND last_sequence)`,
      )
      .get() as object;
    const heard = deliver(path);
    expect(heard).toMatchObject({ ...waiting, left: 0 });
    const under_way = '019ff000-0000-4000-8000-1000000000';
    expect(heard.batches.filter((id) => id.startsWith(under_way))).toHaveLength(1);
  });

  test('loses nobody on any way through the versions, up and down', () => {
    const steps = fc.array(fc.constantFrom(...versions, newest), { maxLength: 8 });
    fc.assert(
      fc.property(steps, (path_of_versions) => {
        const path = fileOf(version);
        const sums = asProgramOf(path, version, counted);
        for (const next of path_of_versions) {
          expect(asProgramOf(path, next, counted)).toEqual(sums);
        }
        expect(asProgramOf(path, newest, tablesOf)).toContain('undated');
      }),
      { numRuns: 12 },
    );
  });
});

test('sequences without a row become a log without gaps in another epoch for a program before them', () => {
  const path = fileOf(first_with_holes);
  const epochOf = (connection: Connection) =>
    connection.prepare('SELECT epoch FROM life').pluck().get();
  const epoch = asProgramOf(path, first_with_holes, epochOf);
  const [renamed, gaps] = asProgramOf(path, first_with_holes - 1, (connection) => [
    epochOf(connection),
    connection.prepare('SELECT max(sequence) - count(*) FROM readings').pluck().get(),
  ]);
  expect(gaps).toBe(0);
  expect(renamed).not.toBe(epoch);
  expect(renamed).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('the longest stay of a zone is kept over an older program that has no place for it', () => {
  const path = fileOf(first_with_holes);
  const stays = 'SELECT observed_at, dwell_max_s FROM readings WHERE dwell_max_s IS NOT NULL';
  const said = asProgramOf(path, newest, (connection) => {
    connection.exec('UPDATE readings SET dwell_max_s = 40.5 WHERE region IS NOT NULL');
    return connection.prepare(`${stays} ORDER BY 1`).all();
  });
  expect(said.length).toBeGreaterThan(0);
  // On the way back sequences and the numbers of words are given anew.
  asProgramOf(path, 1, () => {});
  const kept = asProgramOf(path, newest, (connection) => {
    return connection.prepare(`${stays} ORDER BY 1`).all();
  });
  expect(kept).toEqual(said);
});

test('a program with one lane finds no batch but the one after its mark', () => {
  const path = fileOf(first_with_lanes);
  openBuffer(path, identity).connection.close();
  const batches = asProgramOf(path, first_with_lanes - 1, (connection) =>
    connection.prepare('SELECT first_sequence, last_sequence FROM batches').all(),
  );
  expect(batches).toEqual([{ first_sequence: 31, last_sequence: 38 }]);
});

/** A version to come that keeps people in a table of its own: nobody reads it without its way back. */
const next: SchemaStep = {
  up: `ALTER TABLE readings RENAME TO passages;
    UPDATE passages SET in_count = -in_count, out_count = -out_count;`,
  down: `UPDATE passages SET in_count = -in_count, out_count = -out_count;
    ALTER TABLE passages RENAME TO readings;`,
};

describe('the file of a newer program', () => {
  const newer = (path: string, step: SchemaStep) => {
    const connection = new Database(path);
    toKnownSchema(connection, identity, [...schemaSteps, step]);
    connection.close();
  };

  test('is brought back by the way that stands in it, and delivered', () => {
    const path = fileOf(latest);
    const waiting = deliver(fileOf(latest));
    newer(path, next);
    expect(deliver(path)).toMatchObject({ rows: waiting.rows, in: waiting.in, out: waiting.out });
  });

  test('stays untouched where its way back does not work', () => {
    const path = fileOf(latest);
    newer(path, { ...next, down: `${next.down} SELECT weather FROM readings;` });
    expect(() => openBuffer(path, identity)).toThrow(
      expect.objectContaining({
        code: 'buffer_newer',
        detail: `the way back from schema ${newest + 1} failed: no such column: weather`,
      }),
    );
    const connection = new Database(path, { readonly: true });
    expect(tablesOf(connection)).toContain('passages');
    expect(connection.pragma('user_version', { simple: true })).toBe(newest + 1);
    connection.close();
  });

  test('is refused where it has none', () => {
    const path = fileOf(latest);
    newer(path, next);
    const connection = new Database(path);
    connection.exec('DROP TABLE ways_back');
    connection.close();
    const text = `schema ${newest + 1}, this program knows ${newest}, and the file does not say how to go back from ${newest + 1}`;
    expect(() => openBuffer(path, identity)).toThrow(
      expect.objectContaining({ code: 'buffer_newer', detail: text }),
    );
  });
});

test('no schema before the present one is missing here', () => {
  const earlier = schemaSteps.slice(1).map((_, at) => at + 1);
  expect(versions).toEqual(expect.arrayContaining(earlier));
});
