import { copyFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { HqMemory } from '../../gateway/buffer/entry.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Batch } from '../../shared/wire/batch.ts';
import {
  counted,
  Disk,
  doors,
  minutes,
  nearItsQuota,
  peopleIn,
  start,
} from '../support/minutes-on-disk.ts';

test('what this file takes for settled and HQ does not have is sent again', () => {
  const disk = new Disk();
  disk.count(1, 6);
  const [batch] = disk.drain(2);
  const epoch = batch?.epoch ?? '';
  disk.restart();
  copyFileSync(disk.path, `${disk.path}.image`);
  // What another life delivered of the same epoch, while the image lay in a drawer.
  disk.restart();
  copyFileSync(`${disk.path}.image`, disk.path);
  disk.count(7, 8);
  expect(disk.hear([{ epoch, settled: [[1, 3]] }])).toEqual({ gained: 0, lost: 3 });
  expect(counted(disk.drain()).map(([minute]) => minute)).toEqual([4, 5, 6, 7, 8]);
});

test('what HQ has of an epoch is not sent, though this file never knew that it was', () => {
  const disk = new Disk();
  disk.count(1, 6);
  const { epoch } = disk.log.stats();
  disk.restart();
  const settled: HqMemory['epochs'] = [
    {
      epoch,
      settled: [
        [1, 2],
        [5, 6],
      ],
    },
  ];
  expect(disk.hear(settled)).toEqual({ gained: 4, lost: 0 });
  expect(disk.log.stats()).toMatchObject({ buffered: 2, settled_sequence: 2 });
  expect(counted(disk.drain()).map(([minute]) => minute)).toEqual([3, 4]);
  expect(disk.log.stats()).toMatchObject({ buffered: 0, settled_sequence: 6 });
});

test('each process appends under an epoch of its own, and no batch holds readings of two', () => {
  const disk = new Disk();
  disk.count(1, 3);
  disk.restart();
  disk.count(4, 6);
  const sent = disk.drain();
  expect(sent.map(({ first_sequence, last_sequence }) => [first_sequence, last_sequence])).toEqual([
    [4, 6],
    [1, 3],
  ]);
  const { epochs } = disk.log.stats();
  expect(epochs.map(({ epoch }) => epoch)).toEqual(sent.map(({ epoch }) => epoch).reverse());
  expect(new Set(sent.map(({ epoch }) => epoch)).size).toBe(2);
});

test('the same sequences of two lives that one image began are never taken for each other', () => {
  const disk = new Disk();
  disk.count(1, 2);
  disk.drain();
  disk.restart();
  copyFileSync(disk.path, `${disk.path}.image`);
  disk.count(3, 5);
  const [other] = disk.drain();
  const first = disk.log.stats().epochs[0]?.epoch ?? '';
  disk.restart();
  copyFileSync(`${disk.path}.image`, disk.path);
  disk.count(6, 8);
  const hq: HqMemory['epochs'] = [
    { epoch: first, settled: [[1, 2]] },
    { epoch: other?.epoch ?? '', settled: [[3, 5]] },
  ];
  disk.hear(hq);
  expect(counted(disk.drain()).map(([minute]) => minute)).toEqual([6, 7, 8]);
});

test('what HQ has lost under a running gateway is sent again; what it takes meanwhile is not touched', () => {
  const disk = new Disk();
  disk.count(1, 6);
  const { epoch } = disk.log.stats();
  disk.drain(3);
  expect(disk.hear([{ epoch, settled: [[1, 6]] }], false)).toEqual({ gained: 0, lost: 0 });
  disk.count(7, 9);
  const under_way = disk.next(10);
  expect(disk.hear([{ epoch, settled: [[1, 2]] }], false)).toEqual({ gained: 0, lost: 4 });
  expect(under_way?.batch).toMatchObject({ first_sequence: 7, last_sequence: 9 });
  const again = disk.drain();
  expect(counted(again).map(([minute]) => minute)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  expect(again.map(({ batch_id }) => batch_id)).toContain(under_way?.batch.batch_id);
});

test('what HQ has lost of the present shows at once, while the past is still under way', () => {
  const disk = new Disk();
  disk.count(1, 20);
  const { epoch } = disk.log.stats();
  const live = disk.log.nextBatch('live', { rows_max: 5, held: [], batch_id: systemClock.uuid() });
  if (live === null) throw new Error('nothing waits');
  disk.log.settle(live.batch, [], 0);
  expect(disk.log.stats()).toMatchObject({ settled_sequence: 0, buffered: 15 });
  expect(disk.hear([{ epoch, settled: [] }], false)).toEqual({ gained: 0, lost: 5 });
  expect(disk.log.stats().buffered).toBe(20);
});

test('what was delivered as another gateway is never sent as this one, whatever HQ knows of it', () => {
  const disk = new Disk();
  disk.log.deliverAs('0192f000-0000-7000-8000-000000000001');
  disk.count(1, 3);
  disk.drain();
  const { epoch } = disk.log.stats();
  disk.log.deliverAs('0192f000-0000-7000-8000-000000000002');
  disk.count(4, 5);
  expect(disk.hear([{ epoch, settled: [] }])).toEqual({ gained: 0, lost: 0 });
  expect(counted(disk.drain()).map(([minute]) => minute)).toEqual([4, 5]);
});

test('the sequence of a reading that HQ refused is settled by a batch without it', () => {
  const disk = new Disk();
  disk.count(1, 3);
  for (const rows of [1, 1]) {
    const sent = disk.next(rows);
    if (sent === null) throw new Error('nothing waits');
    const { first_sequence } = sent.batch;
    if (first_sequence === 2) disk.log.refuse(sent.batch, { code: 'bad', detail: '' }, 0);
    else disk.log.settle(sent.batch, [], 0);
  }
  expect(disk.log.stats()).toMatchObject({
    buffered: 1,
    quarantined: [{ reason: 'bad', count: 1 }],
  });
  const rest = disk.drain();
  expect(rest).toMatchObject([{ first_sequence: 2, last_sequence: 3 }]);
  expect(counted(rest)).toEqual([[3, 1]]);
});

test('batches of sums say of every sequence once that its people are in them', () => {
  const settled: number[] = [];
  const sent = nearItsQuota().drain(7);
  for (const { first_sequence, last_sequence, absent = [], included = [] } of sent) {
    for (let sequence = first_sequence; sequence <= last_sequence; sequence += 1) {
      if (!absent.includes(sequence)) settled.push(sequence);
    }
    settled.push(...included);
  }
  const all = Array.from({ length: minutes * doors.length }, (_, i) => i + 1);
  expect(settled.sort((a, b) => a - b)).toEqual(all);
  expect(sent.some(({ included = [] }) => included.length > 0)).toBe(true);
});

test('a batch still leaves out what a sum holds whose own row is delivered and forgotten', () => {
  const disk = nearItsQuota({ delivered_rows: 0 });
  const absentIn = (batches: readonly Batch[]) => batches.flatMap(({ absent = [] }) => absent);
  const left_out = absentIn(disk.drain(7));
  expect(left_out.length).toBeGreaterThan(100);
  expect(left_out).toEqual(absentIn(nearItsQuota().drain(7)));
});

test('a sum of which HQ has a part is taken apart, and nobody counts twice', () => {
  const disk = nearItsQuota();
  const { epoch } = disk.log.stats();
  disk.restart();
  // Of the first quarter hour HQ has two minutes of one door, from a life before the sum.
  const known = [
    [1, 1],
    [13, 13],
  ] as const;
  expect(disk.hear([{ epoch, settled: known }])).toEqual({ gained: 2, lost: 0 });
  const waiting = disk.log.stats().buffered;
  const sent = disk.drain();
  expect(peopleIn(sent)).toBe(minutes * doors.length - known.length);
  expect(counted(sent)).toHaveLength(waiting);
  expect(counted(sent)).toContainEqual([1, 13]);
  const [moved] = sent.flatMap(({ counts }) =>
    counts.received_at.filter((_, row) => counts.observed_at[row] === start + 60_000),
  );
  expect(moved).toBe(start + 14 * 60_000 + 61_000);
  expect(disk.log.stats()).toMatchObject({ buffered: 0, settled_sequence: 1_200 });
});

test('a sum that HQ has is not sent again as its parts', () => {
  const disk = new Disk({ quota_bytes: 60_000, rows_kept: 10 });
  disk.count(0, 99, doors);
  const { epoch } = disk.log.stats();
  disk.restart();
  copyFileSync(disk.path, `${disk.path}.image`);
  for (let from = 100; from < minutes; from += 10) disk.count(from, from + 9, doors);
  expect(disk.log.stats().coalesced).toBeGreaterThan(0);
  const sent = disk.drain();
  disk.restart();
  copyFileSync(`${disk.path}.image`, disk.path);
  const ofImage = sent.filter((batch) => batch.epoch === epoch);
  const settled = ofImage.map((one) => [one.first_sequence, one.last_sequence] as const);
  disk.hear([{ epoch, settled }]);
  expect(disk.drain()).toEqual([]);
});
