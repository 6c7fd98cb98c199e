import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { keyOfText, messageKey } from '../../gateway/meters/message-key.ts';
import {
  batchIn,
  entry,
  fill,
  newPath,
  nextOf,
  openIn,
  sequencesIn,
} from '../support/buffer-entries.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('what was appended is there after the file is opened again, with meters and keys', async () => {
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  await fill(first.buffer, 1, 3);
  await first.buffer.close();

  const { buffer, recovered } = await openIn(workspace, path);
  expect(recovered.keys.map((key) => keyOfText(key.dedupe_key))).toEqual(
    ['key-1', 'key-2', 'key-3'].map(messageKey),
  );
  expect(recovered.meters[0]?.state).toMatchObject({ since: 3 });
  expect(sequencesIn(await nextOf(buffer, 10))).toEqual([1, 2, 3]);
});

test('a sequence is never given out twice, even when the log was emptied', async () => {
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  await fill(first.buffer, 1, 3);
  const sent = await nextOf(first.buffer, 10);
  if (sent === null) throw new Error('nothing to send');
  await first.buffer.settle(sent.batch, []);
  await first.buffer.close();
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.exec('DELETE FROM readings');
  connection.close();

  const { buffer } = await openIn(workspace, path);
  await buffer.append([entry(4)]);
  expect(sequencesIn(await nextOf(buffer, 10))).toEqual([4]);
});

test('a second process cannot open the buffer that a gateway uses', async () => {
  const path = newPath(workspace);
  await openIn(workspace, path);
  await expect(openIn(workspace, path)).rejects.toMatchObject({ code: 'already_running' });
});

test('a buffer of a newer program is refused, not guessed at', async () => {
  const path = newPath(workspace);
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.pragma('user_version = 99');
  connection.close();
  await expect(openIn(workspace, path)).rejects.toMatchObject({ code: 'buffer_newer' });
});

test('a buffer of the first schema is brought up to date with everything in it', async () => {
  const path = newPath(workspace);
  const old = new Database(path);
  old.exec(schemaSteps[0]?.up ?? '');
  old.exec(`
    INSERT INTO life VALUES (1, '019ff000-0000-7000-8000-000000000000', 1, 1);
    INSERT INTO readings VALUES
      (1, 'count', 'door', NULL, 1767225600000, 60, 1, 0, NULL, NULL, 1767225660000, 0, '"a"'),
      (2, 'count', 'door', NULL, 1767225660000, 60, 2, 3, NULL, NULL, 1767225720000, 32, '"b"'),
      (3, 'zone', 'cam', 'till', 1767225660000, 60, NULL, NULL, 4, NULL, 1767225720000, 0, NULL);
    PRAGMA user_version = 1;
  `);
  old.close();
  const { buffer, recovered } = await openIn(workspace, path);
  expect(recovered.keys.map((key) => [key.sensor_id, key.dedupe_key])).toEqual([
    ['door', '"a"'],
    ['door', '"b"'],
  ]);
  expect(batchIn(await nextOf(buffer, 10))).toMatchObject({
    epoch: '019ff000-0000-7000-8000-000000000000',
    sensors: ['door', 'cam'],
    regions: ['till'],
    counts: { sequence: [2], sensor: [0], interval_s: [60], in: [2], out: [3], flags: [32] },
    zones: { sequence: [3], sensor: [1], region: [0], occupancy: [4], dwell_s: [null] },
  });
});

test('the file is opened so that a commit survives a power cut', () => {
  const { connection } = openBuffer(newPath(workspace), { epoch: '', now: 0 });
  expect(connection.pragma('synchronous', { simple: true })).toBe(2);
  expect(connection.pragma('journal_mode', { simple: true })).toBe('wal');
  connection.close();
});

test('entries that arrive together share a commit', async () => {
  const { buffer } = await openIn(workspace);
  const before = (await buffer.stats()).bytes;
  await fill(buffer, 1, 400);
  // A commit of its own writes at least two pages of 4 KiB to the journal: 3 MB for 400.
  expect((await buffer.stats()).bytes - before).toBeLessThan(300_000);
});

test('a reading that no table takes goes to quarantine, and what came with it is stored', async () => {
  const { buffer } = await openIn(workspace);
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
