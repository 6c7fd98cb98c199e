import { expect, test } from 'vitest';
import { fill, nextOf, openIn, sequencesIn } from '../support/buffer-entries.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('a file that is older than HQ’s memory of it begins another life, and sends what it holds', async () => {
  const { buffer } = await openIn(workspace);
  await fill(buffer, 1, 3);
  const { epoch } = await buffer.stats();
  const verdict = await buffer.reconcile(
    { ack_sequence: 9, high_sequence: 9 },
    { settled_sequence: 0, losses: [] },
  );
  expect(verdict).toBe('new_epoch');
  const again = await nextOf(buffer, 10);
  expect(again?.batch).toMatchObject({ first_sequence: 1, last_sequence: 3 });
  expect(again?.batch.epoch).not.toBe(epoch);
});

test('what was delivered as another gateway is never sent again as this one', async () => {
  const { buffer } = await openIn(workspace);
  await buffer.deliverAs('0192f000-0000-7000-8000-000000000001');
  await fill(buffer, 1, 3);
  const sent = await nextOf(buffer, 10);
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
  expect(sequencesIn(await nextOf(buffer, 10))).toEqual([4, 5]);
});

test('what HQ has lost since it acknowledged it is sent again', async () => {
  const { buffer } = await openIn(workspace);
  await fill(buffer, 1, 6);
  const sent = await nextOf(buffer, 4);
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
  expect(sequencesIn(await nextOf(buffer, 10))).toEqual([3, 4, 5, 6]);
});
