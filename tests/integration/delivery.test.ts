import { expect, test } from 'vitest';
import { SyncLoop } from '../../gateway/sync/sync-loop.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from '../support/hq.ts';
import {
  accepted,
  type Reply,
  refusal,
  type Script,
  scriptedHq as scripted,
  sequencesOf,
  storeWith as storeOf,
} from '../support/scripted-hq.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const scriptedHq = (script: Script) => scripted(workspace, script);

/** A buffer on disk with so many readings, delivered by the gateway's own lanes. */
async function storeWith(readings: number, url: string, rows_max: number) {
  const store = await storeOf(workspace, readings, url);
  const timing = { send_interval_ms: 20, retry_max_ms: 50, rows_max };
  const sync = new SyncLoop({ ...store, ...timing, clock: systemClock, log: silentLog });
  sync.start();
  workspace.onEnd(() => sync.stop());
  const settled = () =>
    eventually(
      () => store.buffer.stats(),
      ({ buffered }) => buffered === 0,
    );
  return { ...store, sync, settled };
}

const all = (readings: number) => Array.from({ length: readings }, (_, i) => i + 1);

test('lanes that work at once never send the same batch, and use as many as HQ grants', async () => {
  let under_way = 0;
  let most = 0;
  const grant = { backlog: { in_flight: 9, pause_ms: 0 } };
  const hq = await scriptedHq(async (one) => {
    under_way += 1;
    most = Math.max(most, under_way);
    // Others come meanwhile: whoever is answered at once never meets them.
    await systemClock.sleep(30);
    under_way -= 1;
    return accepted(one, grant);
  });
  const store = await storeWith(3_000, hq.url, 50);
  await store.settled();
  const ids = hq.posted.map(({ batch }) => batch.batch_id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(sequencesOf(hq.posted)).toEqual(all(3_000));
  // Five lanes of backlog beside the live one, although a later HQ grants nine.
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(6);
});

test('a batch keeps its id and its bytes until HQ has answered for every row', async () => {
  const replies = new Map<string, number>();
  const hq = await scriptedHq((one) => {
    const tries = replies.get(one.batch.batch_id) ?? 0;
    replies.set(one.batch.batch_id, tries + 1);
    const troubles: (Reply | null)[] = [
      null,
      refusal(503, 'database_unavailable'),
      { status: 502, body: '<html>Bad Gateway</html>' },
      { ...refusal(409, 'batch_in_flight'), headers: { 'retry-after': '0' } },
      accepted(one, { accepted: 1 }),
    ];
    return tries < troubles.length ? (troubles[tries] ?? null) : accepted(one);
  });
  const store = await storeWith(20, hq.url, 100);
  await store.settled();
  const bytes = new Map<string, Set<string>>();
  for (const { batch, bytes: sent } of hq.posted) {
    bytes.set(batch.batch_id, (bytes.get(batch.batch_id) ?? new Set()).add(sent));
  }
  for (const sent of bytes.values()) expect(sent.size).toBe(1);
  expect(hq.posted.length).toBeGreaterThanOrEqual(6);
  expect(sequencesOf(hq.posted)).toEqual(all(20));
});

test.each([
  [400, 'batch_invalid'],
  [413, 'body_too_large'],
  [415, 'encoding_unsupported'],
  [422, 'batch_conflict'],
])('HQ’s own %i is split down to the reading it means; the others arrive', async (status, code) => {
  const poisoned = 13;
  const stored = new Set<number>();
  const hq = await scriptedHq((one) => {
    if (one.batch.counts.sequence.includes(poisoned)) return refusal(status, code);
    for (const sequence of one.batch.counts.sequence) stored.add(sequence);
    return accepted(one);
  });
  const store = await storeWith(40, hq.url, 100);
  await store.settled();
  expect([...stored].sort((a, b) => a - b)).toEqual(all(40).filter((s) => s !== poisoned));
  const { quarantined } = await store.buffer.stats();
  expect(quarantined).toMatchObject([{ count: 1 }]);
});

test('a reading that HQ rejects stands in quarantine, and the batch is delivered', async () => {
  const rejected = [{ sequence: 7, code: 'no_partition', detail: 'too old' }];
  const hq = await scriptedHq((one) =>
    one.batch.counts.sequence.includes(7)
      ? accepted(one, { accepted: one.batch.counts.sequence.length - 1, rejected })
      : accepted(one),
  );
  const store = await storeWith(10, hq.url, 100);
  await store.settled();
  expect((await store.buffer.stats()).quarantined).toMatchObject([{ count: 1 }]);
});

test.each([401, 403])('a %i keeps every reading and says so', async (status) => {
  const hq = await scriptedHq(() => refusal(status, 'credential_refused'));
  const store = await storeWith(10, hq.url, 100);
  const { error } = await eventually(
    async () => store.sync.status(),
    ({ state }) => state === 'refused',
  );
  expect(error).toContain('credential_refused');
  expect(await store.buffer.stats()).toMatchObject({ buffered: 10, quarantined: [] });
});

test('backlog that HQ turns away does not hold up the present', async () => {
  const hq = await scriptedHq((one) =>
    one.lane === 'backlog'
      ? { ...refusal(429, 'overloaded'), headers: { 'retry-after': '60' } }
      : accepted(one),
  );
  const store = await storeWith(1_200, hq.url, 100);
  const live = () => hq.posted.filter(({ lane }) => lane === 'live').map(({ batch }) => batch);
  await eventually(
    async () => live(),
    ([newest]) => newest?.last_sequence === 1_200,
  );
  await eventually(
    async () => hq.posted,
    (posted) => posted.some(({ lane }) => lane === 'backlog'),
  );
  await store.count(10);
  await eventually(
    async () => live(),
    (batches) => batches.at(-1)?.last_sequence === 1_210,
  );
  // What HQ turned away as backlog does not come back as the present.
  expect(live().every(({ first_sequence }) => first_sequence > 1_000)).toBe(true);
});
