import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Entry } from '../../gateway/buffer/entry.ts';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { newMeterState } from '../../gateway/meters/meter.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

async function open(path: string) {
  const opened = await ReadingBuffer.open({ path, clock: systemClock, log: silentLog });
  workspace.onEnd(() => opened.buffer.close().catch(() => {}));
  return opened;
}

const newPath = () => join(workspace.folder(), 'buffer.sqlite');

function entry(i: number, over: Partial<Entry> = {}): Entry {
  return {
    readings: [
      {
        kind: 'count',
        sensor_id: 'front-door',
        observed_at: 1_767_225_600_000 + i * 1000,
        interval_s: 1,
        in: i,
        out: 0,
        received_at: 1_767_225_600_000 + i * 1000,
        flags: 0,
      },
    ],
    dedupe_key: `key-${i}`,
    meter: { sensor_id: 'front-door', state: { ...newMeterState, since: i } },
    quarantined: [],
    ...over,
  };
}

const fill = (buffer: ReadingBuffer, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from + 1 }, (_, i) => buffer.append([entry(from + i)])));

test('what was appended is there after the file is opened again, with meters and keys', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  await first.buffer.close();

  const { buffer, recovered } = await open(path);
  expect(recovered.epoch).toBe(first.recovered.epoch);
  expect(recovered.keys.map((key) => key.dedupe_key)).toEqual(['key-1', 'key-2', 'key-3']);
  expect(JSON.parse(recovered.meters[0]?.state ?? '')).toMatchObject({ since: 3 });
  expect((await buffer.nextBatch(10))?.readings.map((r) => r.sequence)).toEqual([1, 2, 3]);
});

test('a batch that was not answered is sent again with the same id and the same rows', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  const sent = await first.buffer.nextBatch(2);
  await fill(first.buffer, 4, 5);
  expect(await first.buffer.nextBatch(100)).toEqual(sent);
  await first.buffer.close();

  const { buffer } = await open(path);
  expect(await buffer.nextBatch(100)).toEqual(sent);
});

test('settled rows are not sent again, and a refused one stands in quarantine with its code', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 3);
  const sent = await buffer.nextBatch(2);
  if (sent === null) throw new Error('nothing to send');
  await buffer.settle(sent.batch, [{ sequence: 2, code: 'no_partition', detail: 'too old' }]);

  expect((await buffer.nextBatch(10))?.readings.map((r) => r.sequence)).toEqual([3]);
  const [row] = await buffer.quarantine(10);
  expect(row).toMatchObject({ source: 'hq', reason: 'no_partition', address: 'front-door' });
  expect(JSON.parse(Buffer.from(row?.bytes ?? '', 'base64').toString())).toMatchObject({ in: 2 });
  expect((await buffer.stats()).quarantined).toMatchObject([{ reason: 'no_partition', count: 1 }]);
});

test('a sequence is never given out twice, even when the log was emptied', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  const sent = await first.buffer.nextBatch(10);
  if (sent === null) throw new Error('nothing to send');
  await first.buffer.settle(sent.batch, []);
  await first.buffer.close();
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.exec('DELETE FROM readings');
  connection.close();

  const { buffer } = await open(path);
  await buffer.append([entry(4)]);
  expect((await buffer.nextBatch(10))?.readings.map((r) => r.sequence)).toEqual([4]);
});

test('an abandoned batch makes room for a smaller one that starts at the same row', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 4);
  const sent = await buffer.nextBatch(4);
  await buffer.abandon(sent?.batch.batch_id ?? '');
  const half = await buffer.nextBatch(2);
  expect(half?.readings.map((r) => r.sequence)).toEqual([1, 2]);
  expect(half?.batch.batch_id).not.toBe(sent?.batch.batch_id);
});

test('a second process cannot open the buffer that a gateway uses', async () => {
  const path = newPath();
  await open(path);
  await expect(open(path)).rejects.toMatchObject({ code: 'already_running' });
});

test('a buffer of a newer program is refused, not guessed at', async () => {
  const path = newPath();
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.pragma('user_version = 99');
  connection.close();
  await expect(open(path)).rejects.toMatchObject({ code: 'buffer_newer' });
});

test('a buffer of the first schema is brought up to date with everything in it', async () => {
  const path = newPath();
  const old = new Database(path);
  old.exec(schemaSteps[0] ?? '');
  old.exec(`
    INSERT INTO life VALUES (1, '019ff000-0000-7000-8000-000000000000', 1, 1);
    INSERT INTO readings VALUES
      (1, 'count', 'door', NULL, 1767225600000, 60, 1, 0, NULL, NULL, 1767225660000, 0, '"a"'),
      (2, 'count', 'door', NULL, 1767225660000, 60, 2, 3, NULL, NULL, 1767225720000, 32, '"b"'),
      (3, 'zone', 'cam', 'till', 1767225660000, 60, NULL, NULL, 4, NULL, 1767225720000, 0, NULL);
    PRAGMA user_version = 1;
  `);
  old.close();
  const { buffer, recovered } = await open(path);
  expect(recovered).toMatchObject({ epoch: '019ff000-0000-7000-8000-000000000000' });
  expect(recovered.keys.map((key) => [key.sensor_id, key.dedupe_key])).toEqual([
    ['door', '"a"'],
    ['door', '"b"'],
  ]);
  expect((await buffer.nextBatch(10))?.readings).toMatchObject([
    { sequence: 2, kind: 'count', sensor_id: 'door', interval_s: 60, in: 2, out: 3, flags: 32 },
    { sequence: 3, kind: 'zone', sensor_id: 'cam', region_id: 'till', occupancy: 4, dwell_s: null },
  ]);
});

test('the file is opened so that a commit survives a power cut', () => {
  const { connection } = openBuffer(newPath(), { epoch: '', now: 0 });
  expect(connection.pragma('synchronous', { simple: true })).toBe(2);
  expect(connection.pragma('journal_mode', { simple: true })).toBe('wal');
  connection.close();
});

test('entries that arrive together share a commit', async () => {
  const { buffer } = await open(newPath());
  const before = (await buffer.stats()).bytes;
  await fill(buffer, 1, 400);
  // A commit of its own writes at least two pages of 4 KiB to the journal: 3 MB for 400.
  expect((await buffer.stats()).bytes - before).toBeLessThan(300_000);
});

test('a reading that no table takes goes to quarantine, and what came with it is stored', async () => {
  const { buffer } = await open(newPath());
  const bad = entry(2);
  const readings = bad.readings.map((reading) => ({ ...reading, in: 1e20 }));
  await Promise.all(
    [entry(1), { ...bad, readings }, entry(3)].map((each) => buffer.append([each])),
  );
  expect((await buffer.stats()).buffered).toBe(2);
  expect(await buffer.quarantine(1)).toMatchObject([
    { reason: 'reading_not_storable', address: 'front-door' },
  ]);
  expect(buffer.failure).toBeNull();
});

test('a damaged file is set aside, never deleted, and a new epoch begins', async () => {
  const path = newPath();
  writeFileSync(path, 'this is no database '.repeat(500));
  const { buffer, recovered } = await open(path);
  expect(readFileSync(recovered.set_aside ?? '', 'utf8')).toContain('this is no database');
  await buffer.append([entry(1)]);
  expect((await buffer.stats()).buffered).toBe(1);
});
