import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  keyBytes,
  keyOfText,
  type MessageKey,
  messageKey,
} from '../../../gateway/meters/message-key.ts';
import { RecentKeys } from '../../../gateway/meters/recent-keys.ts';

/** As the log keeps it. */
const kept = (key: MessageKey) => keyBytes(key).toString('base64');

test('other texts have other keys, also where one only goes on with zeros', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      expect(kept(messageKey(one)) === kept(messageKey(other))).toBe(one === other);
    }),
  );
  const zeros = Array.from({ length: 40 }, (_, i) => kept(messageKey('\0'.repeat(i))));
  expect(new Set(zeros).size).toBe(40);
});

test('each part of the keys of counted-up ids is as good as drawn by chance', () => {
  const ids = 200_000;
  const keys = Array.from({ length: ids }, (_, i) => messageKey(`"door-7:${i}"`));
  for (const part of ['a', 'b', 'c'] as const) {
    // Of so many drawn from 2^32, 4.7 fall on one another; 25 would be one chance in 10^10.
    expect(ids - new Set(keys.map((key) => key[part])).size).toBeLessThan(25);
  }
});

test('a key comes back from the log, and a text that an older version wrote is its key', () => {
  const key = messageKey('"a-1"');
  expect(keyBytes(key)).toHaveLength(12);
  expect(keyOfText(kept(key))).toEqual(key);
  expect(keyOfText('"a-1"')).toEqual(key);
});

test('a message is known by its sensor and its key, and the newest 100,000 are always known', () => {
  const keys = new RecentKeys();
  const named = (i: number) => messageKey(String(i));
  for (let i = 0; i < 250_000; i += 1) keys.add(`door-${i % 3}`, named(i));
  const known = (i: number) => keys.has(`door-${i % 3}`, named(i));
  const newest = Array.from({ length: 100_000 }, (_, i) => 150_000 + i);
  expect(newest.filter((i) => !known(i))).toEqual([]);
  expect(known(0)).toBe(false);
  expect(known(250_000)).toBe(false);
  expect(keys.has('door-0', named(249_998))).toBe(false);
});
