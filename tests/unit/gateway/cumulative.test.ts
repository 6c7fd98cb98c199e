import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advance, type Counter, type CounterRules } from '../../../gateway/meters/cumulative.ts';

const rules: CounterRules = {
  modulus: null,
  resets: true,
  people_per_minute_max: 300,
  reset: null,
};

/** Feeds totals one second apart; gives the people of each step and the notes. */
function feed(totals: readonly number[], over: Partial<CounterRules> = {}) {
  let counter: Counter | null = null;
  const people: number[] = [];
  const notes: string[] = [];
  totals.forEach((value, i) => {
    const result = advance(counter, { value, at: i * 1000 }, { ...rules, ...over });
    counter = result.counter;
    people.push(result.people);
    if (result.note !== null) notes.push(result.note);
  });
  return { people, notes, sum: people.reduce((sum, n) => sum + n, 0) };
}

test('the first total is a baseline, not people', () => {
  expect(feed([15_210, 15_212])).toMatchObject({ people: [0, 2], notes: ['baseline'] });
});

test('a 16-bit counter goes on after 65,535', () => {
  expect(feed([65_533, 65_535, 1], { modulus: 65_536 }).people).toEqual([0, 2, 2]);
});

test('a transient zero after a reconnect is no reset', () => {
  expect(feed([500, 0, 501])).toMatchObject({
    sum: 1,
    notes: ['baseline', 'held', 'glitch_ignored'],
  });
});

test('a frame that arrives out of order takes nothing away and adds nothing', () => {
  expect(feed([500, 503, 501, 504]).sum).toBe(4);
});

test('a reset counts what came after it, once a second sample confirms it', () => {
  expect(feed([500, 2, 3])).toMatchObject({
    people: [0, 0, 3],
    notes: ['baseline', 'held', 'reset'],
  });
});

test('a 16-bit counter that restarts from a low value was reset, it did not wrap', () => {
  expect(feed([500, 0, 1], { modulus: 65_536 }).sum).toBe(1);
});

test('a leap that no door allows waits for the next sample, and a corrupted register is forgotten', () => {
  expect(feed([500, 292_552_705, 502]).sum).toBe(2);
});

test('a leap that the next sample confirms is people that an outage hid', () => {
  expect(feed([500, 2_500, 2_501])).toMatchObject({ people: [0, 0, 2_001] });
});

test('a device that was replaced by one with another total starts from a new baseline', () => {
  expect(feed([500, 70_000_000, 70_000_001, 70_000_003])).toMatchObject({
    sum: 2,
    notes: ['baseline', 'held', 'rebaselined'],
  });
});

test('totals of the past, delivered again after a restart, are no traffic', () => {
  expect(feed([9_000, 8_000, 8_001, 8_999, 9_000, 9_001]).sum).toBe(1);
});

test('a total restored from an older saved value goes on, once no replay can explain it', () => {
  const quarter_hour = Array.from({ length: 901 }, (_, second) => 8_000 + Math.floor(second / 60));
  expect(feed([9_000, ...quarter_hour, 8_017]).sum).toBe(17);
});

test('a total that is 0 for seconds and then back was never away', () => {
  expect(feed([500, 0, 0, 0, 503]).sum).toBe(3);
});

test('an 8-bit counter that is asked when it reads 0 has passed its end', () => {
  expect(feed([254, 255, 0, 0, 0, 2], { modulus: 256 }).sum).toBe(4);
});

test('a counter that stops at 0 has passed its end when the other one of the device stands', () => {
  const stopped = [65_534, 65_535, 0, 0];
  expect(feed(stopped, { modulus: 65_536, other_stands: true })).toMatchObject({
    people: [0, 1, 1, 0],
    notes: ['baseline', 'wrapped'],
  });
  expect(feed(stopped, { modulus: 65_536 }).people).toEqual([0, 1, 0, 0]);
  expect(feed([500, 0, 501], { modulus: 65_536, other_stands: true }).sum).toBe(1);
});

test('who passed the end of a register while nobody asked counts up to what the profile believes', () => {
  const row = { modulus: 65_536, people_per_minute_max: 6_000 };
  // Eighteen seconds without an answer, at forty people a second.
  const totals = [65_520, ...Array.from({ length: 18 }, () => null), 704, 744];
  const asked = totals.flatMap((value, second) => (value === null ? [] : [{ value, second }]));
  const walk = (over: Partial<CounterRules>) =>
    asked.reduce(
      ({ counter, sum }, { value, second }) => {
        const step = advance(counter, { value, at: second * 1000 }, { ...rules, ...over });
        return { counter: step.counter, sum: sum + step.people };
      },
      { counter: null as Counter | null, sum: 0 },
    ).sum;
  expect(walk(row)).toBe(16 + 704 + 40);
  // Three hundred a minute cannot have walked it: as likely the counter is another one.
  expect(walk({ ...row, people_per_minute_max: 300 })).toBe(40);
});

test('an older total from before the end of an 8-bit counter takes it nowhere', () => {
  expect(feed([250, 4, 251, 252, 5], { modulus: 256 }).sum).toBe(11);
});

test('a device that clears its total at each opening is believed at once', () => {
  expect(feed([3, 0, 1, 4, 0, 2], { resets: 'often' }).sum).toBe(4 + 2);
});

test('a total that fell behind a restart counts from 0 without waiting', () => {
  expect(feed([500, 2], { reset: 'likely' })).toMatchObject({ people: [0, 2] });
  expect(feed([500, 502], { reset: 'likely' })).toMatchObject({ people: [0, 2] });
});

test('for any walk with wraps and glitches, the sum is last minus first', () => {
  const modulus = 65_536;
  const step = fc.record({
    people: fc.integer({ min: 0, max: 100 }),
    glitch: fc.option(fc.constantFrom(0, 40_000, 65_535), { freq: 10 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: modulus - 1 }), fc.array(step), (start, steps) => {
      let total = start;
      const seen = [start];
      for (const { people, glitch } of steps) {
        // One impossible sample between two good ones, far from the truth on either side.
        const distance = glitch === null ? 0 : Math.abs(glitch - (total % modulus));
        const far = distance > 1_000 && distance < modulus - 1_000;
        total += people;
        if (glitch !== null && far) seen.push(glitch);
        seen.push(total % modulus);
      }
      // A register that reads 0 may have passed its end; its next step tells.
      if (total % modulus === 0) {
        total += 1;
        seen.push(total % modulus);
      }
      const { sum, people } = feed(seen, { modulus });
      expect(sum).toBe(total - start);
      expect(people.every((n) => n >= 0)).toBe(true);
    }),
  );
});
