import { expect, test } from 'vitest';
import { CommitPace } from '../../../gateway/buffer/commit-pace.ts';

const lone = (at: number) => ({ entries: 1, opened_at: at, last_at: at });

test('what comes now and then is written within ten milliseconds', () => {
  const pace = new CommitPace('prompt', 0);
  for (let at = 0; at < 60_000_000; at += 60_000) {
    expect(pace.due_at(lone(at), at)).toBe(at + 10);
    pace.spent(1, at);
  }
});

test('what comes without pause is gathered for a second, so that a commit is worth its pages', () => {
  const pace = new CommitPace('prompt', 0);
  let commits = 0;
  let opened_at = 0;
  let entries = 0;
  const hour_ms = 3_600_000;
  for (let now = 0; now < hour_ms; now += 20) {
    if (entries === 0) opened_at = now;
    entries += 1;
    if (pace.due_at({ entries, opened_at, last_at: now }, now) > now + 20) continue;
    pace.spent(entries, now);
    commits += 1;
    entries = 0;
  }
  expect(commits).toBeLessThan(3_600 + 200 + hour_ms / 20_000);
});

test('a group of fifty is worth its pages at once', () => {
  const pace = new CommitPace('prompt', 0);
  for (let i = 0; i < 200; i += 1) pace.spent(10, 0);
  expect(pace.due_at({ entries: 49, opened_at: 0, last_at: 0 }, 0)).toBe(100);
  expect(pace.due_at({ entries: 50, opened_at: 0, last_at: 0 }, 0)).toBe(5);
});

test('a device that sends the next message after each acknowledgement is not slowed down', () => {
  const pace = new CommitPace('prompt', 0);
  let now = 0;
  for (let i = 0; i < 10_000; i += 1) {
    now = pace.due_at(lone(now), now);
    pace.spent(1, now);
  }
  expect(10_000 / (now / 1000)).toBeGreaterThan(90);
});

test('eco waits five seconds', () => {
  expect(new CommitPace('eco', 0).due_at(lone(0), 0)).toBe(5_000);
});
