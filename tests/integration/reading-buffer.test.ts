import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { Entry, Lane } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { schemaSteps } from '../../gateway/buffer/schema-steps.ts';
import { keyOfText, messageKey } from '../../gateway/meters/message-key.ts';
import { newMeterState } from '../../gateway/meters/meter.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { batchSchema } from '../../shared/wire/batch.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

async function open(path: string, quota_bytes = Number.POSITIVE_INFINITY) {
  const opened = await ReadingBuffer.open({
    path,
    mode: 'prompt',
    quota_bytes,
    clock: systemClock,
    log: silentLog,
  });
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
    dedupe_key: messageKey(`key-${i}`),
    meter: { sensor_id: 'front-door', state: { ...newMeterState, since: i } },
    quarantined: [],
    ...over,
  };
}

/** The oldest rows, whichever lane they belong to. */
const next = async (buffer: ReadingBuffer, rows_max: number) =>
  (await buffer.nextBatch('backlog', rows_max, [])) ?? buffer.nextBatch('live', rows_max, []);

const batchIn = (sent: OutgoingBatch | null) =>
  sent === null ? null : batchSchema.parse(JSON.parse(gunzipSync(sent.body).toString()));
const sequencesIn = (sent: OutgoingBatch | null) => batchIn(sent)?.counts.sequence;

const fill = (buffer: ReadingBuffer, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from + 1 }, (_, i) => buffer.append([entry(from + i)])));

test('what was appended is there after the file is opened again, with meters and keys', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  await first.buffer.close();

  const { buffer, recovered } = await open(path);
  expect(recovered.epoch).toBe(first.recovered.epoch);
  expect(recovered.keys.map((key) => keyOfText(key.dedupe_key))).toEqual(
    ['key-1', 'key-2', 'key-3'].map(messageKey),
  );
  expect(recovered.meters[0]?.state).toMatchObject({ since: 3 });
  expect(sequencesIn(await next(buffer, 10))).toEqual([1, 2, 3]);
});

test('a batch that was not answered is sent again with the same id and the same rows', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  const sent = await next(first.buffer, 2);
  await fill(first.buffer, 4, 5);
  expect(await next(first.buffer, 100)).toEqual(sent);
  await first.buffer.close();

  const { buffer } = await open(path);
  expect(await next(buffer, 100)).toEqual(sent);
});

test('settled rows are not sent again, and a refused one stands in quarantine with its code', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 3);
  const sent = await next(buffer, 2);
  if (sent === null) throw new Error('nothing to send');
  await buffer.settle(sent.batch, [{ sequence: 2, code: 'no_partition', detail: 'too old' }]);

  expect(sequencesIn(await next(buffer, 10))).toEqual([3]);
  const [row] = await buffer.quarantine(10);
  expect(row).toMatchObject({ source: 'hq', reason: 'no_partition', address: 'front-door' });
  expect(JSON.parse(Buffer.from(row?.bytes ?? '', 'base64').toString())).toMatchObject({ in: 2 });
  expect((await buffer.stats()).quarantined).toMatchObject([{ reason: 'no_partition', count: 1 }]);
});

test('a sequence is never given out twice, even when the log was emptied', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 3);
  const sent = await next(first.buffer, 10);
  if (sent === null) throw new Error('nothing to send');
  await first.buffer.settle(sent.batch, []);
  await first.buffer.close();
  const { connection } = openBuffer(path, { epoch: '', now: 0 });
  connection.exec('DELETE FROM readings');
  connection.close();

  const { buffer } = await open(path);
  await buffer.append([entry(4)]);
  expect(sequencesIn(await next(buffer, 10))).toEqual([4]);
});

test('an abandoned batch makes room for a smaller one that starts at the same row', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 4);
  const sent = await next(buffer, 4);
  await buffer.abandon(sent?.batch.batch_id ?? '');
  const half = await next(buffer, 2);
  expect(sequencesIn(half)).toEqual([1, 2]);
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
  const { buffer, recovered } = await open(path);
  expect(recovered).toMatchObject({ epoch: '019ff000-0000-7000-8000-000000000000' });
  expect(recovered.keys.map((key) => [key.sensor_id, key.dedupe_key])).toEqual([
    ['door', '"a"'],
    ['door', '"b"'],
  ]);
  expect(batchIn(await next(buffer, 10))).toMatchObject({
    sensors: ['door', 'cam'],
    regions: ['till'],
    counts: { sequence: [2], sensor: [0], interval_s: [60], in: [2], out: [3], flags: [32] },
    zones: { sequence: [3], sensor: [1], region: [0], occupancy: [4], dwell_s: [null] },
  });
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

test('the live lane takes the newest readings while the backlog lane takes the oldest', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 40);
  const live = await buffer.nextBatch('live', 10, []);
  const held = [live?.batch.batch_id ?? ''];
  const old = await buffer.nextBatch('backlog', 10, held);
  held.push(old?.batch.batch_id ?? '');
  const older = await buffer.nextBatch('backlog', 10, held);
  held.push(older?.batch.batch_id ?? '');
  await fill(buffer, 41, 42);
  const newer = await buffer.nextBatch('live', 10, held);
  const ends = [live, old, older, newer].map((sent) => {
    const sequences = sequencesIn(sent) ?? [];
    return [sequences[0], sequences.at(-1)];
  });
  expect(ends).toEqual([
    [31, 40],
    [1, 10],
    [11, 20],
    [41, 42],
  ]);
});

test('what both lanes settled is settled for ever, in whatever order the answers come', async () => {
  const path = newPath();
  const first = await open(path);
  await fill(first.buffer, 1, 12);
  const live = await first.buffer.nextBatch('live', 4, []);
  const old = await first.buffer.nextBatch('backlog', 4, [live?.batch.batch_id ?? '']);
  if (live === null || old === null) throw new Error('nothing to send');
  await first.buffer.settle(live.batch, []);
  expect(await first.buffer.stats()).toMatchObject({ buffered: 8, settled_sequence: 0 });
  await first.buffer.close();

  const { buffer } = await open(path);
  await buffer.settle(old.batch, []);
  expect(await buffer.stats()).toMatchObject({ buffered: 4, settled_sequence: 4 });
  const gap = await next(buffer, 4);
  expect(sequencesIn(gap)).toEqual([5, 6, 7, 8]);
  if (gap !== null) await buffer.settle(gap.batch, []);
  expect(await buffer.stats()).toMatchObject({ buffered: 0, settled_sequence: 12 });
});

test('every reading goes out once, whatever the lanes do', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9_999), { minLength: 40, maxLength: 120 }), (steps) => {
      const { connection } = openBuffer(newPath(), { epoch: 'e', now: 0 });
      const log = new ReadingLog(connection, null);
      const sent: OutgoingBatch[] = [];
      const seen: number[] = [];
      let appended = 0;
      const settle = (done: OutgoingBatch) => {
        const { first_sequence, last_sequence } = done.batch;
        for (let s = first_sequence; s <= last_sequence; s += 1) seen.push(s);
        expect(done.rows).toBe(last_sequence - first_sequence + 1);
        log.settle(done.batch, [], 0);
      };
      const take = (lane: Lane, rows_max: number) => {
        const held = sent.map(({ batch }) => batch.batch_id);
        return log.nextBatch(lane, { rows_max, held, batch_id: systemClock.uuid() });
      };
      for (const step of steps) {
        const [done] = sent.splice(step % Math.max(1, sent.length), step % 5 === 4 ? 1 : 0);
        if (done !== undefined && step % 3 === 0) log.abandon(done.batch.batch_id);
        else if (done !== undefined) settle(done);
        else if (step % 5 < 2) {
          const draft = new GroupDraft();
          const more = 1 + (step % 9);
          for (let i = 0; i < more; i += 1) draft.add(entry(appended + i));
          log.commit(draft.finish());
          appended += more;
        } else {
          const batch = take(step % 2 === 0 ? 'live' : 'backlog', 1 + (step % 7));
          if (batch !== null) sent.push(batch);
        }
      }
      for (const { batch } of sent.splice(0)) log.abandon(batch.batch_id);
      for (;;) {
        const left = take('backlog', 6) ?? take('live', 6);
        if (left === null) break;
        settle(left);
      }
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: appended }, (_, i) => i + 1));
      expect(log.stats()).toMatchObject({ buffered: 0, settled_sequence: appended });
      log.close();
    }),
    { numRuns: 20 },
  );
});

test('a file that is older than HQ’s memory of it begins another life, and sends what it holds', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 3);
  const { epoch } = await buffer.stats();
  const verdict = await buffer.reconcile(
    { ack_sequence: 9, high_sequence: 9 },
    { settled_sequence: 0, losses: [] },
  );
  expect(verdict).toBe('new_epoch');
  const again = await next(buffer, 10);
  expect(again?.batch).toMatchObject({ first_sequence: 1, last_sequence: 3 });
  expect(again?.batch.epoch).not.toBe(epoch);
});

test('what was delivered as another gateway is never sent again as this one', async () => {
  const { buffer } = await open(newPath());
  await buffer.deliverAs('0192f000-0000-7000-8000-000000000001');
  await fill(buffer, 1, 3);
  const sent = await next(buffer, 10);
  if (sent !== null) await buffer.settle(sent.batch, []);
  await buffer.deliverAs('0192f000-0000-7000-8000-000000000002');
  await fill(buffer, 4, 5);
  expect(await buffer.stats()).toMatchObject({ first_sequence: 4 });
  expect(
    await buffer.reconcile(
      { ack_sequence: 9, high_sequence: 9 },
      { settled_sequence: 3, losses: [] },
    ),
  ).toBe('new_epoch');
  expect(sequencesIn(await next(buffer, 10))).toEqual([4, 5]);
});

test('what HQ has lost since it acknowledged it is sent again', async () => {
  const { buffer } = await open(newPath());
  await fill(buffer, 1, 6);
  const sent = await next(buffer, 4);
  if (sent !== null) await buffer.settle(sent.batch, []);
  expect(
    await buffer.reconcile(
      { ack_sequence: 4, high_sequence: 4 },
      { settled_sequence: 4, losses: [] },
    ),
  ).toBe('nothing');
  expect(
    await buffer.reconcile(
      { ack_sequence: 2, high_sequence: 2 },
      { settled_sequence: 4, losses: [] },
    ),
  ).toBe('rewound');
  expect(sequencesIn(await next(buffer, 10))).toEqual([3, 4, 5, 6]);
});

/** Writes rubbish over pages in the middle of a file whose journal is folded in. */
function damage(path: string, isDamaged: (page: number, pages: number) => boolean): void {
  const page_bytes = 1024;
  const file = readFileSync(path);
  const pages = file.length / page_bytes;
  for (let page = 0; page < pages; page += 1) {
    if (isDamaged(page, pages)) file.fill(0xa5, page * page_bytes, (page + 1) * page_bytes);
  }
  writeFileSync(path, file);
}

test('of a file damaged in the middle all that can be read is kept, and the rest has a number', async () => {
  const path = newPath();
  const first = await open(path);
  for (let from = 1; from <= 5_000; from += 500) await fill(first.buffer, from, from + 499);
  await first.buffer.close();
  damage(path, (page, pages) => page === Math.floor(pages / 2) || page === Math.floor(pages / 3));

  const { buffer, recovered } = await open(path);
  expect(recovered.set_aside).not.toBeNull();
  expect(recovered.epoch).not.toBe(first.recovered.epoch);
  expect(recovered.meters.map((meter) => meter.sensor_id)).toEqual(['front-door']);
  const { buffered, quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(500);
  expect(buffered + lost).toBe(5_000);
  const [row] = await buffer.quarantine(1);
  expect(row?.detail).toMatch(/^readings \d+-\d+, \d+-\d+ of epoch /);
  await buffer.append([entry(6_000)]);
  expect((await buffer.stats()).buffered).toBe(buffered + 1);
});

test('damage in a file too large to be checked at start is met where it is read', async () => {
  const path = newPath();
  const first = await open(path);
  for (let from = 1; from <= 5_000; from += 500) await fill(first.buffer, from, from + 499);
  await first.buffer.close();
  const grown = new Database(path);
  // Beyond what is read at start, as in a store with a long backlog.
  grown.exec('CREATE TABLE ballast (bytes BLOB); INSERT INTO ballast VALUES (zeroblob(40000000))');
  grown.close();
  damage(path, (page) => page === 40);

  const { buffer, recovered } = await open(path);
  expect(recovered.set_aside).not.toBeNull();
  const sent = await buffer.nextBatch('backlog', 5_000, []);
  expect(sent?.batch.epoch).not.toBe(first.recovered.epoch);
  const { buffered, quarantined } = await buffer.stats();
  const lost = quarantined.find(({ reason }) => reason === 'damaged')?.count ?? 0;
  expect(lost).toBeGreaterThan(0);
  expect(buffered + lost).toBe(5_000);
});
