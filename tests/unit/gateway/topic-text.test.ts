import fc from 'fast-check';
import { expect, test } from 'vitest';
import { topicText } from '../../../gateway/sources/topic-text.ts';

/** Some of them are remembered and some are too long; a few thousand share a thousand places. */
const topics = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 5_000 }).map((number) => `counters/${number}`),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.stringMatching(/^[a-z/]{120,140}$/),
  ),
  { minLength: 1, maxLength: 200 },
);

test('a topic is what its bytes say, whichever topics came before it', () => {
  fc.assert(
    fc.property(topics, (all) => {
      for (const topic of [...all, ...all]) {
        const bytes = Buffer.from(`..${topic}..`);
        const expected = /[#+]/.test(topic) ? null : Buffer.from(topic).toString();
        expect(topicText(bytes, 2, bytes.length - 2)).toBe(expected);
      }
    }),
  );
});

test('what is remembered of a topic does not follow the bytes that it was read from', () => {
  const bytes = Buffer.from('door/1');
  topicText(bytes, 0, 6);
  bytes.write('2', 5);
  expect(topicText(Buffer.from('door/1'), 0, 6)).toBe('door/1');
});

test.each(['', 'doors/#', 'doors/+/in'])('no message can go to "%s"', (topic) => {
  const bytes = Buffer.from(topic);
  expect(topicText(bytes, 0, bytes.length)).toBeNull();
});
