import { expect, test } from 'vitest';
import { Admission, type Place } from '../../../cloud-sync/http/admission.ts';
import { FootbridgeError } from '../../../shared/runtime/errors.ts';
import { manualClock } from '../../support/manual-clock.ts';

function house() {
  const clock = manualClock(0);
  return { clock, admission: new Admission(clock) };
}

/** A job that lasts until it is told to end. */
function job(place: Place) {
  let end = () => {};
  let hasBegun = false;
  const done = place.work(() => {
    hasBegun = true;
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  });
  return { done, end: () => end(), hasBegun: () => hasBegun };
}

const refusal = (enter: () => Place): FootbridgeError => {
  try {
    enter();
  } catch (error) {
    if (error instanceof FootbridgeError) return error;
  }
  throw new Error('was let in');
};

test('backlog beyond the limit is refused at the door and told when to come back', () => {
  const { admission } = house();
  for (let i = 0; i < 32; i += 1) admission.enter('backlog', `g${i}`);
  const { code, status, retry_after_s } = refusal(() => admission.enter('backlog', 'late'));
  expect([code, status]).toEqual(['overloaded', 429]);
  expect(retry_after_s).toBeGreaterThanOrEqual(1);
});

test('the more gateways wait with backlog, the later they are asked to come back', () => {
  const { admission } = house();
  for (let i = 0; i < 32; i += 1) admission.enter('backlog', `g${i}`);
  const ask = (id: string) => refusal(() => admission.enter('backlog', id)).retry_after_s ?? 0;
  const early = ask('one');
  for (let i = 0; i < 500; i += 1) ask(`other-${i}`);
  expect(ask('last')).toBeGreaterThan(early);
});

test('live batches are let in however much backlog there is', async () => {
  const { admission } = house();
  for (let i = 0; i < 32; i += 1) admission.enter('backlog', `g${i}`);
  const live = job(admission.enter('live', 'a'));
  await Promise.resolve();
  expect(live.hasBegun()).toBe(true);
});

test('backlog gets the turns that live batches leave, and one whatever they take', async () => {
  const { admission } = house();
  const live = Array.from({ length: 6 }, (_, i) => job(admission.enter('live', `l${i}`)));
  const backlog = Array.from({ length: 6 }, (_, i) => job(admission.enter('backlog', `b${i}`)));
  const begun = () => backlog.filter((one) => one.hasBegun()).length;
  await Promise.resolve();
  expect(begun()).toBe(1);
  const end = async (one: ReturnType<typeof job> | undefined) => {
    one?.end();
    await one?.done;
    await Promise.resolve();
  };
  for (const one of live.slice(0, 3)) await end(one);
  expect(begun()).toBe(1);
  for (const one of live.slice(3, 5)) await end(one);
  expect(begun()).toBe(3);
  await end(live[5]);
  expect(begun()).toBe(4);
});

test('a place that was left is free again, and leaving twice frees one', () => {
  const { admission } = house();
  const [first] = Array.from({ length: 32 }, (_, i) => admission.enter('backlog', `g${i}`));
  first?.leave();
  first?.leave();
  admission.enter('backlog', 'next');
  expect(refusal(() => admission.enter('backlog', 'late')).code).toBe('overloaded');
});

test('turns are taken in the order of arrival, and a job that fails gives its turn on', async () => {
  const { admission } = house();
  const jobs = Array.from({ length: 6 }, (_, i) => job(admission.enter('live', `g${i}`)));
  await Promise.resolve();
  expect(jobs.map((one) => one.hasBegun())).toEqual([true, true, true, true, false, false]);
  jobs[1]?.end();
  await jobs[1]?.done;
  await expect(
    admission.enter('heartbeat', 'x').work(() => Promise.reject(new Error('database'))),
  ).rejects.toThrow('database');
  await Promise.resolve();
  expect(jobs.map((one) => one.hasBegun())).toEqual([true, true, true, true, true, false]);
});

test('a gateway alone may use all of the backlog’s turns, many share them', () => {
  const { admission, clock } = house();
  admission.enter('backlog', 'a').leave();
  expect(admission.budget()).toEqual({ in_flight: 5, pause_ms: 0 });
  for (let i = 0; i < 30; i += 1) admission.enter('backlog', `g${i}`).leave();
  const shared = admission.budget();
  expect(shared.in_flight).toBe(1);
  expect(shared.pause_ms).toBeGreaterThan(0);
  clock.advance(31_000);
  expect(admission.budget()).toEqual({ in_flight: 5, pause_ms: 0 });
});

test('who waits ten seconds for a turn is refused, and the place is free for the next', async () => {
  const { admission, clock } = house();
  const never = () => new Promise<void>(() => {});
  const asked = Array.from({ length: 64 }, () => admission.inTurn('enrolment', never));
  const answers = Promise.allSettled(asked.slice(1));
  await expect(admission.inTurn('enrolment', never)).rejects.toMatchObject({ code: 'overloaded' });
  clock.advance(10_000);
  const refused = { status: 'rejected', reason: expect.objectContaining({ code: 'overloaded' }) };
  expect(await answers).toEqual(Array.from({ length: 63 }, () => expect.objectContaining(refused)));
  expect(admission.admitted.get('enrolment')).toBe(1);
});
