import { describe, expect, test } from 'vitest';
import { type Poll, PollSchedule } from '../../../gateway/sources/poll-schedule.ts';
import { SourceOutlet } from '../../../gateway/sources/source-outlet.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

const five = { address: 'unit/5', every_ms: 1000, timeout_ms: 200 };
const six = { address: 'unit/6', every_ms: 1000, timeout_ms: 200 };

function scheduleOf(...polls: (typeof five)[]): PollSchedule<typeof five> {
  const schedule = new PollSchedule<typeof five>();
  schedule.replace(polls, 0);
  return schedule;
}

describe('who is asked next', () => {
  test('everybody is due at once in the beginning, in the order given', () => {
    const schedule = scheduleOf(five, six);
    expect(schedule.next(0)).toEqual({ poll: five });
    schedule.answered('unit/5', 0);
    expect(schedule.next(0)).toEqual({ poll: six });
  });

  test('an answering unit is asked on a fixed beat', () => {
    const schedule = scheduleOf(five);
    schedule.answered('unit/5', 150);
    expect(schedule.next(150)).toEqual({ wait_ms: 850 });
  });

  test('beats that were missed are not made up for', () => {
    const schedule = scheduleOf(five);
    schedule.answered('unit/5', 10_500);
    expect(schedule.next(10_500)).toEqual({ poll: five });
    schedule.answered('unit/5', 10_500);
    expect(schedule.next(10_500)).toEqual({ wait_ms: 1000 });
  });

  test('a unit whose last frame is not on disk is not asked', () => {
    const schedule = scheduleOf(five);
    schedule.hold('unit/5');
    expect(schedule.next(5000)).toEqual({ wait_ms: Number.POSITIVE_INFINITY });
    schedule.release('unit/5');
    expect(schedule.next(5000)).toEqual({ poll: five });
  });

  test('a silent unit alone on its bus is asked after 1, 2, 4 … beats, at most a minute', () => {
    const schedule = scheduleOf(five);
    const pauses = Array.from({ length: 8 }, () => {
      schedule.missed('unit/5', 'silent', 'no answer', 0, 200);
      const next = schedule.next(0);
      return 'wait_ms' in next ? next.wait_ms : 0;
    });
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  test('a silent unit that answers is asked on its beat again', () => {
    const schedule = scheduleOf(five);
    for (let i = 0; i < 8; i += 1) schedule.missed('unit/5', 'silent', 'no answer', 0, 200);
    schedule.answered('unit/5', 60_000);
    expect(schedule.next(60_000)).toEqual({ wait_ms: 1000 });
    expect(schedule.units()).toEqual([
      { address: 'unit/5', state: 'answering', missed: 0, error: null, noise: null },
    ]);
  });

  test('the bus has a fault only when no unit at all gives usable answers', () => {
    const schedule = scheduleOf(five, six);
    const outlet = new SourceOutlet('bus', {
      name: 'line',
      accept: async () => {},
      clock: systemClock,
    });
    outlet.running();
    const fault = () => outlet.status(schedule.units()).error;
    schedule.missed('unit/5', 'silent', 'no answer', 0, 200);
    expect(fault()).toBeNull();
    schedule.missed('unit/6', 'faulty', 'exception 2', 0, 20);
    expect(fault()).toBe('unit/5: no answer; unit/6: exception 2');
    schedule.answered('unit/5', 0);
    expect(fault()).toBeNull();
  });

  test('after the bus was away every unit is asked at once', () => {
    const schedule = scheduleOf(five, six);
    schedule.missed('unit/5', 'silent', 'no answer', 0, 200);
    schedule.answered('unit/6', 0);
    schedule.retryAll(10);
    expect(schedule.next(10)).toHaveProperty('poll');
  });
});

describe('when polls change', () => {
  test('a unit that stays keeps its turn, a new one is due at once', () => {
    const schedule = scheduleOf(five);
    schedule.answered('unit/5', 0);
    schedule.replace([five, six], 100);
    expect(schedule.next(100)).toEqual({ poll: six });
    schedule.answered('unit/6', 100);
    expect(schedule.next(100)).toEqual({ wait_ms: 900 });
  });

  test('a unit whose frame is not on disk stays held', () => {
    const schedule = scheduleOf(five);
    schedule.hold('unit/5');
    schedule.replace([{ ...five, every_ms: 10 }], 0);
    expect(schedule.next(1000)).toEqual({ wait_ms: Number.POSITIVE_INFINITY });
  });

  test('answers of a unit that is gone change nothing', () => {
    const schedule = scheduleOf(five);
    schedule.replace([], 0);
    schedule.answered('unit/5', 0);
    expect(schedule.units()).toEqual([]);
  });

  test('two polls of one address are a mistake of the caller', () => {
    expect(() => scheduleOf(five, five)).toThrow('two polls share an address');
  });
});

describe('a dead unit among units that answer', () => {
  interface Line {
    readonly answering_ms: number;
    readonly timeout_ms: number;
    /** When the dead unit dies. */
    readonly dies_at: number;
    readonly polls_of_dead?: number;
  }

  /** Bus time that the dead unit took after its first timeout, as a share, over `for_ms`. */
  function shareOfDead(line: Line, for_ms: number): { share: number; slowest_beat_ms: number } {
    const polls: Poll[] = Array.from({ length: 31 }, (_, i) => {
      return { address: `unit/${i + 1}`, every_ms: 1000, timeout_ms: line.timeout_ms };
    });
    for (let i = 0; i < (line.polls_of_dead ?? 1); i += 1) {
      const dead = { address: `dead/${i}`, device: 'dead' };
      polls.splice(7, 0, { ...dead, every_ms: 1000, timeout_ms: line.timeout_ms });
    }
    const schedule = new PollSchedule<Poll>();
    schedule.replace(polls, 0);
    const asked = new Map<string, number>();
    let [now, wasted_ms, slowest_beat_ms, first_timeout_at] = [0, 0, 0, -1];
    while (first_timeout_at < 0 || now < first_timeout_at + for_ms) {
      const next = schedule.next(now);
      if ('wait_ms' in next) {
        now += next.wait_ms;
        continue;
      }
      const { address } = next.poll;
      slowest_beat_ms = Math.max(slowest_beat_ms, now - (asked.get(address) ?? now));
      if (!address.startsWith('dead')) asked.set(address, now);
      if (!address.startsWith('dead') || now < line.dies_at) {
        now += line.answering_ms;
        schedule.answered(address, now);
        continue;
      }
      const cost_ms = line.timeout_ms + 500;
      now += cost_ms;
      if (first_timeout_at < 0) first_timeout_at = now;
      else wasted_ms += cost_ms;
      schedule.missed(address, 'silent', 'no answer', now, cost_ms);
    }
    return { share: wasted_ms / (now - first_timeout_at), slowest_beat_ms };
  }

  test.each([
    ['dead from the start', { answering_ms: 20, timeout_ms: 1000, dies_at: 0 }],
    ['dead after an hour', { answering_ms: 20, timeout_ms: 1000, dies_at: 3_600_000 }],
    ['with a short timeout', { answering_ms: 10, timeout_ms: 100, dies_at: 60_000 }],
    ['with a long timeout', { answering_ms: 10, timeout_ms: 5000, dies_at: 60_000 }],
    ['asked for three blocks', { answering_ms: 5, timeout_ms: 1000, dies_at: 0, polls_of_dead: 3 }],
  ])('%s costs at most 2 % of an hour', (_what, line) => {
    const { share } = shareOfDead(line, 3_600_000);
    expect(share).toBeGreaterThan(0.005);
    expect(share).toBeLessThanOrEqual(0.02);
  });

  test('the others keep their beat but for one timeout', () => {
    const line = { answering_ms: 20, timeout_ms: 1000, dies_at: 60_000 };
    expect(shareOfDead(line, 3_600_000).slowest_beat_ms).toBeLessThan(1000 + 2 * 1500);
  });

  test('one lost answer is no death: the unit is asked again at its next beat', () => {
    const schedule = scheduleOf(five, six);
    schedule.answered('unit/6', 100_000);
    schedule.answered('unit/5', 100_000);
    schedule.missed('unit/5', 'silent', 'no answer', 101_200, 200);
    schedule.hold('unit/6');
    expect(schedule.next(102_199)).toEqual({ wait_ms: 1 });
    expect(schedule.next(102_200)).toEqual({ poll: five });
  });
});
