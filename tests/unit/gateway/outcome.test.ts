import { expect, test } from 'vitest';
import { outcomeOf } from '../../../gateway/sync/outcome.ts';

const sent = {
  batch_id: '0198c3a0-0000-7000-8000-000000000001',
  first_sequence: 7,
  last_sequence: 9,
  rows: 3,
};
const ok = { batch_id: sent.batch_id, accepted: 2, duplicate: 1, rejected: [], ack_sequence: 3 };
const refused = (sequence: number) => ({ sequence, code: 'no_partition', detail: '' });
const error = (code: string) => JSON.stringify({ error: { code, message: 'm', detail: 'd' } });
const answer = (
  status: number,
  body: string,
  retry_after: string | null = null,
  date: string | null = null,
) => outcomeOf({ status, body, retry_after, date }, sent);

test('an answer that accounts for every row is delivery', () => {
  expect(answer(200, JSON.stringify(ok)).kind).toBe('delivered');
});

test.each([
  ['that leaves a row out', { ...ok, accepted: 1 }],
  ['for another batch', { ...ok, batch_id: '0198c3a0-0000-7000-8000-000000000002' }],
  ['that is no answer', { hello: 'world' }],
  ['that refuses a reading nobody sent', { ...ok, accepted: 1, rejected: [refused(6)] }],
  ['that refuses a reading twice', { ...ok, accepted: 0, rejected: [refused(8), refused(8)] }],
])('a 200 %s forgets nothing: the batch is sent again', (_what, body) => {
  expect(answer(200, JSON.stringify(body)).kind).toBe('retry');
});

test('a captive portal’s login page is not delivery', () => {
  expect(answer(200, '<html>Welcome to the mall</html>').kind).toBe('retry');
});

test.each([400, 413, 415, 422])('HQ’s own %i splits the batch', (status) => {
  expect(answer(status, error('batch_invalid'))).toMatchObject({
    kind: 'split',
    code: 'batch_invalid',
  });
});

test('a proxy’s 400 condemns no reading', () => {
  expect(answer(400, 'Bad Request').kind).toBe('retry');
});

test.each([401, 403])('a %i keeps everything and asks for a new enrolment', (status) => {
  expect(answer(status, error('credential_refused')).kind).toBe('refused');
});

test.each([404, 409, 429, 500, 502, 503, 504])('a %i is tried again', (status) => {
  expect(answer(status, '').kind).toBe('retry');
});

test('HQ’s wish when to come back is obeyed, up to an hour', () => {
  expect(answer(503, error('overloaded'), '7')).toMatchObject({ after_ms: 7_000 });
  expect(answer(503, error('overloaded'), '999999')).toMatchObject({ after_ms: 3_600_000 });
  expect(answer(503, error('overloaded'), 'soon')).toMatchObject({ after_ms: null });
  expect(answer(503, error('overloaded'), '-1')).toMatchObject({ after_ms: null });
});

test('a wish that is a date counts from the date of the answer, whatever the clock of the store says', () => {
  const at = (second: number) => `Tue, 03 Mar 2026 10:00:0${second} GMT`;
  expect(answer(503, '', at(9), at(2))).toMatchObject({ after_ms: 7_000 });
  expect(answer(503, '', at(2), at(9))).toMatchObject({ after_ms: 0 });
  expect(answer(503, '', at(9))).toMatchObject({ after_ms: null });
});

test('a proxy that finds a batch too large asks for smaller ones, and condemns no reading', () => {
  expect(answer(413, '<h1>413 Request Entity Too Large</h1>')).toMatchObject({ kind: 'shrink' });
});
