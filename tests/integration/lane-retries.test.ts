/** What a lane does after each answer that is not yet delivery, and when it asks again. */
import { expect, test } from 'vitest';
import type { Lane } from '../../gateway/buffer/entry.ts';
import { DeliveryLane, type LaneOptions, newLanes } from '../../gateway/sync/delivery-lane.ts';
import { SyncLoop } from '../../gateway/sync/sync-loop.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from '../support/hq.ts';
import {
  accepted,
  type Reply,
  refusal,
  type Script,
  scriptedHq,
  sequencesOf,
  storeWith,
} from '../support/scripted-hq.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const send_interval_ms = 5_000;
const all = (readings: number) => Array.from({ length: readings }, (_, i) => i + 1);

/** A clock whose sleeps are written down, and over at once; its deadlines are the true ones. */
function hurriedClock(random: number): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    ...systemClock,
    slept,
    random: () => random,
    sleep: async (ms, signal) => {
      slept.push(ms);
      await systemClock.sleep(1, signal);
    },
  };
}

/** One lane of a store, as it runs in the gateway. */
async function laneOf(
  lane: Lane,
  readings: number,
  script: Script,
  { random = 0.5, rows_max = 5_000 } = {},
) {
  const hq = await scriptedHq(workspace, script);
  const store = await storeWith(workspace, readings, hq.url);
  const clock = hurriedClock(random);
  const timing = { send_interval_ms, retry_max_ms: 900_000, rows_max };
  const parts = { ...store, ...timing, clock, log: silentLog };
  const running = new DeliveryLane(lane, 0, parts, newLanes());
  const stop = new AbortController();
  const ran = running.run(stop.signal);
  workspace.onEnd(async () => {
    stop.abort();
    await ran;
  });
  const settled = () =>
    eventually(
      () => store.buffer.stats(),
      // The end of the log is the live lane's.
      ({ buffered }) => buffered <= (lane === 'live' ? 0 : rows_max),
    );
  return { ...hq, ...store, settled, slept: clock.slept, status: () => running.status() };
}

/** All lanes of a store, as they run in the gateway. */
async function syncedStore(readings: number, url: string, over: Partial<LaneOptions>) {
  const store = await storeWith(workspace, readings, url);
  const timing = { send_interval_ms: 20, retry_max_ms: 50, rows_max: 500 };
  const parts = { ...store, ...timing, clock: systemClock, log: silentLog };
  const sync = new SyncLoop({ ...parts, ...over });
  sync.start();
  workspace.onEnd(() => sync.stop());
  return store;
}

/** As many of these answers as there are, one after the other; from then on HQ takes everything. */
const inTurn =
  (...replies: (Reply | null)[]): Script =>
  (one, all_of_them) => {
    const reply = replies[all_of_them.length - 1];
    return reply === undefined ? accepted(one) : reply;
  };

test.each([
  [429, 'overloaded'],
  [503, 'overloaded'],
  [409, 'batch_in_flight'],
])('a %i waits as long as HQ says, and up to as long again', async (status, code) => {
  const asked = refusal(status, code, { 'retry-after': '7' });
  for (const [random, expected_ms] of [
    [0, 7_000],
    [0.5, 10_500],
  ] as const) {
    const { settled, slept, posted } = await laneOf('live', 5, inTurn(asked, asked), { random });
    await settled();
    expect(slept.slice(0, 2)).toEqual([expected_ms, expected_ms]);
    expect(new Set(posted.map(({ bytes }) => bytes)).size).toBe(1);
  }
});

test('a time that HQ names as a date is meant by HQ’s clock', async () => {
  // No `after_ms` of ours: both dates come with the answer, and both are years away from here.
  const asked = refusal(503, 'overloaded', {
    date: 'Tue, 03 Mar 2015 10:00:00 GMT',
    'retry-after': 'Tue, 03 Mar 2015 10:00:20 GMT',
  });
  const { settled, slept } = await laneOf('live', 5, inTurn(asked), { random: 0 });
  await settled();
  expect(slept[0]).toBe(20_000);
});

test.each([
  ['a server that fails', { status: 500, body: 'Internal Server Error' }],
  ['a proxy whose HQ is away', { status: 502, body: '<h1>Bad Gateway</h1>' }],
  ['a maintenance page', { status: 503, body: '<h1>Back soon</h1>' }],
  ['a proxy that waited too long', { status: 504, body: '' }],
  ['a portal’s redirect', { status: 302, body: '', headers: { location: 'http://127.0.0.1/' } }],
  ['a page that does not exist', { status: 404, body: '<h1>Not Found</h1>' }],
  ['a portal’s login page', { status: 200, body: '<h1>Free Wi-Fi</h1>' }],
  ['no answer', null],
])('%s is asked again after 1 s, 2 s, 4 s …, by less when chance says so', async (_what, reply) => {
  const often = Array.from({ length: 12 }, () => reply);
  const { settled, slept, posted } = await laneOf('live', 5, inTurn(...often));
  await settled();
  expect(slept.slice(0, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
  expect(new Set(posted.map(({ bytes }) => bytes)).size).toBe(1);
  expect(sequencesOf(posted)).toEqual(all(5));
});

test('the present is tried each minute, the backlog each quarter of an hour', async () => {
  const longest = async (lane: Lane) => {
    const script = inTurn(...Array.from({ length: 14 }, () => null));
    const { slept } = await laneOf(lane, 2_000, script, { random: 0.999, rows_max: 500 });
    await eventually(
      async () => slept.length,
      (count) => count > 14,
    );
    return Math.max(...slept);
  };
  expect(await longest('live')).toBe(59_940);
  expect(await longest('backlog')).toBe(899_100);
});

test('who drained in company spreads the first retry over the pause that HQ had granted', async () => {
  const backlog = { in_flight: 3, pause_ms: 8_000 };
  const { settled, slept } = await laneOf(
    'backlog',
    2_000,
    (one, { length }) => (length === 2 ? null : accepted(one, { backlog })),
    { rows_max: 500 },
  );
  await settled();
  expect(slept.slice(0, 3)).toEqual([8_000, 4_000, 8_000]);
});

test.each([401, 403])('a %i is not asked again within the minute', async (status) => {
  const refused = refusal(status, 'credential_refused');
  const { settled, slept, posted } = await laneOf('live', 5, inTurn(refused, refused));
  await settled();
  expect(slept.slice(0, 2)).toEqual([90_000, 90_000]);
  expect(sequencesOf(posted)).toEqual(all(5));
});

test('a proxy that takes only small bodies gets small batches, and no reading is condemned', async () => {
  const most = 100;
  const tooLarge = { status: 413, body: '<h1>413 Request Entity Too Large</h1>' };
  const script: Script = (one) =>
    one.batch.counts.sequence.length > most ? tooLarge : accepted(one);
  const hq = await scriptedHq(workspace, script);
  const { buffer } = await syncedStore(9_000, hq.url, { rows_max: 2_000 });
  await eventually(
    () => buffer.stats(),
    ({ buffered }) => buffered === 0,
  );
  const posted = hq.posted.filter(({ lane }) => lane === 'backlog');
  const rows = posted.map(({ batch }) => batch.counts.sequence.length);
  const taken = posted.filter((_, i) => (rows[i] ?? 0) <= most);
  const live = hq.posted.filter((one) => one.lane === 'live');
  const present = live.filter(({ batch }) => batch.counts.sequence.length <= most);
  expect(sequencesOf([...taken, ...present])).toEqual(all(9_000));
  expect((await buffer.stats()).quarantined).toEqual([]);
  // Few bytes for nothing: from the first that passed on, one in fifteen tries for more.
  const first = rows.findIndex((count) => count <= most);
  const tried = rows.slice(first);
  expect(tried.filter((count) => count > most).length / tried.length).toBeLessThan(0.1);
});

test('a single reading that a proxy finds too large waits, and arrives once the proxy is gone', async () => {
  const tooLarge = { status: 413, body: 'too large' };
  const { settled, slept, posted, buffer } = await laneOf('live', 1, inTurn(tooLarge, tooLarge));
  await settled();
  expect(slept.slice(0, 2)).toEqual([500, 1_000]);
  expect(sequencesOf(posted)).toEqual([1]);
  expect((await buffer.stats()).quarantined).toEqual([]);
});

test('when the present gets through again, the backlog does not sit out its own guess', async () => {
  let isAway = true;
  const hq = await scriptedHq(workspace, (one) => (isAway ? null : accepted(one)));
  // Live retries come at once; a backlog that guesses sleeps until somebody wakes it.
  const clock: Clock = {
    ...systemClock,
    random: () => 0.999,
    sleep: (ms, signal) => systemClock.sleep(ms > 60_000 ? 3_600_000 : 1, signal),
  };
  const { buffer } = await syncedStore(3_000, hq.url, { clock, retry_max_ms: 900_000 });
  const backlog = () => hq.posted.filter(({ lane }) => lane === 'backlog').length;
  // 1, 2, 4 … 64 s: the seventh failure is followed by the long sleep.
  await eventually(
    async () => backlog(),
    (tries) => tries >= 7,
  );
  isAway = false;
  await eventually(
    () => buffer.stats(),
    ({ buffered }) => buffered === 0,
  );
  expect(sequencesOf(hq.posted)).toEqual(all(3_000));
});

test('while HQ is away one lane of the backlog knocks, and all come when it grants them again', async () => {
  let isAway = false;
  let under_way = 0;
  let knocking = 0;
  const backlog = { in_flight: 5, pause_ms: 0 };
  const hq = await scriptedHq(workspace, async (one) => {
    under_way += one.lane === 'backlog' ? 1 : 0;
    if (isAway) knocking = Math.max(knocking, under_way);
    await systemClock.sleep(10);
    under_way -= one.lane === 'backlog' ? 1 : 0;
    return isAway ? refusal(503, 'database_unavailable') : accepted(one, { backlog });
  });
  const { buffer } = await syncedStore(4_000, hq.url, { rows_max: 10 });
  const batches = (more: number) =>
    eventually(
      async () => hq.posted.length,
      (count) => count >= more,
    );
  await batches(20);
  isAway = true;
  // Those that were under way have failed by then.
  await batches(hq.posted.length + 8);
  knocking = 0;
  await batches(hq.posted.length + 8);
  expect(knocking).toBe(1);
  isAway = false;
  await eventually(
    () => buffer.stats(),
    ({ buffered }) => buffered === 0,
  );
  expect(sequencesOf(hq.posted)).toEqual(all(4_000));
});

test('on a line that nobody has told us is slow, batches shrink until one passes in five seconds', async () => {
  let now = 0;
  // 100 readings a second, and half a second for any request.
  const script: Script = (one) => {
    now += 500 + one.batch.counts.sequence.length * 10;
    return accepted(one);
  };
  const hq = await scriptedHq(workspace, script);
  const clock: Clock = { ...systemClock, monotonic: () => now };
  const { buffer } = await syncedStore(12_000, hq.url, { rows_max: 5_000, clock });
  await eventually(
    () => buffer.stats(),
    ({ buffered }) => buffered === 0,
  );
  const rows = hq.posted
    .filter(({ lane }) => lane === 'backlog')
    .map(({ batch }) => batch.counts.sequence.length);
  expect(rows[0]).toBe(5_000);
  expect(Math.max(...rows.slice(1))).toBeLessThan(1_000);
  expect(Math.min(...rows.slice(1, -1))).toBeGreaterThan(300);
  expect(sequencesOf(hq.posted)).toEqual(all(12_000));
});
