import { expect, test } from 'vitest';
import { CommitPace } from '../../../gateway/buffer/commit-pace.ts';

/** Writes groups of one reading, each as soon as it may be. @returns commits in the given time. */
function commitsIn(span_ms: number, every_ms: number): number {
  const pace = new CommitPace('prompt', 0);
  let commits = 0;
  let now = 0;
  while (now < span_ms) {
    const waits = pace.wait_ms(1, now);
    const entries = Math.max(1, Math.floor(waits / every_ms));
    now += Math.max(waits, every_ms);
    pace.spent(entries, now);
    commits += 1;
  }
  return commits;
}

test('what comes now and then is written within ten milliseconds', () => {
  const pace = new CommitPace('prompt', 0);
  for (let minute = 1; minute <= 1_000; minute += 1) {
    expect(pace.wait_ms(1, minute * 60_000)).toBe(10);
    pace.spent(1, minute * 60_000);
  }
});

test('what never pauses gathers for a second, so that a commit is worth its pages', () => {
  const hour_ms = 3_600_000;
  expect(commitsIn(hour_ms, 20)).toBeLessThan(3_600 + 200 + hour_ms / 5_000);
});

test('a group of fifty is worth its pages at once', () => {
  const pace = new CommitPace('prompt', 0);
  for (let i = 0; i < 1_000; i += 1) pace.spent(1, 0);
  expect(pace.wait_ms(49, 0)).toBe(1_000);
  expect(pace.wait_ms(50, 0)).toBe(10);
});

test('eco waits five seconds', () => {
  expect(new CommitPace('eco', 0).wait_ms(400, 0)).toBe(5_000);
});
