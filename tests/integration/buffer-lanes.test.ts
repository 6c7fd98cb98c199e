import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { Lane } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { entry, fill, newPath, nextOf, openIn, sequencesIn } from '../support/buffer-entries.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('a batch that was not answered is sent again with the same id and the same rows', async () => {
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  await fill(first.buffer, 1, 3);
  const sent = await nextOf(first.buffer, 2);
  await fill(first.buffer, 4, 5);
  expect(await nextOf(first.buffer, 100)).toEqual(sent);
  await first.buffer.close();

  const { buffer } = await openIn(workspace, path);
  expect(await nextOf(buffer, 100)).toEqual(sent);
});

test('settled rows are not sent again, and a refused one stands in quarantine with its code', async () => {
  const { buffer } = await openIn(workspace);
  await fill(buffer, 1, 3);
  const sent = await nextOf(buffer, 2);
  if (sent === null) throw new Error('nothing to send');
  await buffer.settle(sent.batch, [{ sequence: 2, code: 'no_partition', detail: 'too old' }]);

  expect(sequencesIn(await nextOf(buffer, 10))).toEqual([3]);
  const [row] = await buffer.quarantine(10);
  expect(row).toMatchObject({ source: 'hq', reason: 'no_partition', address: 'front-door' });
  expect(JSON.parse(Buffer.from(row?.bytes ?? '', 'base64').toString())).toMatchObject({ in: 2 });
  expect((await buffer.stats()).quarantined).toMatchObject([{ reason: 'no_partition', count: 1 }]);
});

test('an abandoned batch makes room for a smaller one that starts at the same row', async () => {
  const { buffer } = await openIn(workspace);
  await fill(buffer, 1, 4);
  const sent = await nextOf(buffer, 4);
  await buffer.abandon(sent?.batch.batch_id ?? '');
  const half = await nextOf(buffer, 2);
  expect(sequencesIn(half)).toEqual([1, 2]);
  expect(half?.batch.batch_id).not.toBe(sent?.batch.batch_id);
});

test('the live lane takes the newest readings while the backlog lane takes the oldest', async () => {
  const { buffer } = await openIn(workspace);
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
  const path = newPath(workspace);
  const first = await openIn(workspace, path);
  await fill(first.buffer, 1, 12);
  const live = await first.buffer.nextBatch('live', 4, []);
  const old = await first.buffer.nextBatch('backlog', 4, [live?.batch.batch_id ?? '']);
  if (live === null || old === null) throw new Error('nothing to send');
  await first.buffer.settle(live.batch, []);
  expect(await first.buffer.stats()).toMatchObject({ buffered: 8, settled_sequence: 0 });
  await first.buffer.close();

  const { buffer } = await openIn(workspace, path);
  await buffer.settle(old.batch, []);
  expect(await buffer.stats()).toMatchObject({ buffered: 4, settled_sequence: 4 });
  const gap = await nextOf(buffer, 4);
  expect(sequencesIn(gap)).toEqual([5, 6, 7, 8]);
  if (gap !== null) await buffer.settle(gap.batch, []);
  expect(await buffer.stats()).toMatchObject({ buffered: 0, settled_sequence: 12 });
});

test('every reading goes out once, whatever the lanes do', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9_999), { minLength: 40, maxLength: 120 }), (steps) => {
      const { connection } = openBuffer(newPath(workspace), { epoch: 'e', now: 0 });
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
