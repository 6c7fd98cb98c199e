import { expect, it } from 'vitest';
import type { UsualHour } from '../../../cloud-sync/health/expected-traffic.ts';
import { blind_after_people, expectedPeople } from '../../../cloud-sync/health/expected-traffic.ts';

const hour_ms = 3_600_000;
const usual = (start_h: number, people: number | null): UsualHour => ({
  start: start_h * hour_ms,
  end: (start_h + 1) * hour_ms,
  people,
});

it('people expected since the last one are counted by the part of each hour that has passed', () => {
  const hours = [usual(9, 20), usual(10, 40), usual(11, 60)];
  expect(expectedPeople(hours, 9.5 * hour_ms, 11.25 * hour_ms)).toBe(10 + 40 + 15);
});

it('an hour that nobody knows yet expects nobody', () => {
  expect(expectedPeople([usual(9, null), usual(10, 30)], 9 * hour_ms, 10.5 * hour_ms)).toBe(15);
});

/** Mulberry32: the same numbers in every run. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A door: open nine to nine, busiest at noon and six, fuller on Saturdays, closed on Sundays. */
class Door {
  readonly #next: () => number;
  readonly #peak: number;
  readonly #days = new Map<number, number>();
  constructor(seed: number) {
    this.#next = random(seed);
    this.#peak = 10 + 190 * this.#next();
  }
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#next())) * Math.cos(2 * Math.PI * this.#next());
  }
  /** People an hour, with the luck of the day: 22 % more or less. */
  rate(hour: number): number {
    const day = Math.floor(hour / 24);
    const luck = this.#days.get(day) ?? Math.exp(0.22 * this.#normal() - 0.0242);
    this.#days.set(day, luck);
    return this.usual(hour) * luck;
  }
  usual(hour: number): number {
    const h = hour % 24;
    const weekday = Math.floor(hour / 24) % 7;
    if (h < 9 || h >= 21 || weekday === 6) return 0;
    const shape = 0.35 + 0.65 * Math.exp(-(Math.min(Math.abs(h - 12), Math.abs(h - 18)) ** 2) / 4);
    return this.#peak * shape * (weekday === 5 ? 1 : 0.8);
  }
  somebodyIn(rate: number, minutes: number): boolean {
    return this.#next() < 1 - Math.exp((-rate * minutes) / 60);
  }
  counted(rate: number): number {
    return Math.max(0, Math.round(rate + Math.sqrt(rate) * this.#normal()));
  }
  chance(): number {
    return this.#next();
  }
}

const learned_weeks = 8;
const week_h = 168;

/** The rule as HQ applies it: once a minute, by hours learned from the weeks before. */
function usualHours(door: Door): UsualHour[] {
  const sums = Array.from({ length: week_h }, () => 0);
  for (let h = 0; h < learned_weeks * week_h; h += 1) {
    sums[h % week_h] = (sums[h % week_h] ?? 0) + door.counted(door.rate(h));
  }
  return sums.map((sum, h) => usual(h, sum / learned_weeks));
}

function expectedSince(week: readonly UsualHour[], since_min: number, until_min: number): number {
  const hours: UsualHour[] = [];
  for (let h = Math.floor(since_min / 60); h * 60 < until_min; h += 1) {
    hours.push(usual(h, week[h % week_h]?.people ?? null));
  }
  return expectedPeople(hours, since_min * 60_000, until_min * 60_000);
}

const doors = 400;
const watched_weeks = 8;

it('a working sensor is called blind less than once in ten years', () => {
  let alarms = 0;
  for (let seed = 1; seed <= doors; seed += 1) {
    const door = new Door(seed);
    const week = usualHours(door);
    let last = 0;
    let alarmed = false;
    for (let minute = 0; minute < watched_weeks * week_h * 60; minute += 1) {
      const rate = door.rate(learned_weeks * week_h + Math.floor(minute / 60));
      if (rate > 0 && door.somebodyIn(rate, 1)) {
        last = minute;
        alarmed = false;
      } else if (
        !alarmed &&
        rate > 0 &&
        expectedSince(week, last + 1, minute + 1) >= blind_after_people
      ) {
        alarms += 1;
        alarmed = true;
      }
    }
  }
  const sensor_years = (doors * watched_weeks) / 52;
  expect(alarms / sensor_years).toBeLessThan(0.1);
}, 120_000);

it('a sensor that dies in opening hours is called blind within 45 minutes on average', () => {
  const delays: number[] = [];
  for (let seed = 1; seed <= doors * 10; seed += 1) {
    const door = new Door(seed);
    const week = usualHours(door);
    // Dies at a random opening minute of the week; the last person passed some while before.
    const weekday = Math.floor(door.chance() * 6);
    const died = weekday * 1_440 + 540 + Math.floor(door.chance() * 720);
    let last = died;
    for (let back = died - 1; back > died - 720; back -= 1) {
      const rate = door.rate(learned_weeks * week_h + Math.floor(back / 60));
      if (rate > 0 && door.somebodyIn(rate, 1)) {
        last = back;
        break;
      }
    }
    let open_minutes = 0;
    for (let minute = died; ; minute += 1) {
      if ((week[Math.floor(minute / 60) % week_h]?.people ?? 0) > 0) open_minutes += 1;
      if (expectedSince(week, last + 1, minute + 1) >= blind_after_people) break;
    }
    delays.push(open_minutes);
  }
  const mean = delays.reduce((sum, one) => sum + one, 0) / delays.length;
  expect(mean).toBeLessThan(45);
}, 120_000);
