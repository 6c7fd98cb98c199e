/**
 * The rule of the silent sensor beside simulated doors: how often it calls a working one blind, and how
 * soon a dead one. A door has its week, its nights and its luck; HQ knows eight weeks of it.
 */
import type { UsualHour } from '../../cloud-sync/health/expected-traffic.ts';
import { blind_after_people, expectedPeople } from '../../cloud-sync/health/expected-traffic.ts';
import { type Seeded, seeded } from './seeded.ts';

const hour_ms = 3_600_000;
const week_h = 168;
const learned_weeks = 8;
const watched_weeks = 8;
const closed_weekday = 6;
const fullest_weekday = 5;

/** 10 to 200 people in its fullest hour; open nine to nine, busiest at noon and six, closed on Sundays. */
class Door {
  readonly chance: Seeded;
  readonly #peak: number;
  readonly #days = new Map<number, number>();

  constructor(seed: number) {
    this.chance = seeded(seed);
    this.#peak = 10 + 190 * this.chance.next();
  }

  /** People an hour, with the luck of the day: 22 % more or less. */
  rate(hour: number): number {
    const day = Math.floor(hour / 24);
    const luck = this.#days.get(day) ?? Math.exp(0.22 * this.#normal() - 0.0242);
    this.#days.set(day, luck);
    return this.#usual(hour) * luck;
  }

  #usual(hour: number): number {
    const clock = hour % 24;
    const weekday = Math.floor(hour / 24) % 7;
    if (clock < 9 || clock >= 21 || weekday === closed_weekday) return 0;
    const to_peak = Math.min(Math.abs(clock - 12), Math.abs(clock - 18));
    const shape = 0.35 + 0.65 * Math.exp(-(to_peak ** 2) / 4);
    return this.#peak * shape * (weekday === fullest_weekday ? 1 : 0.8);
  }

  hasSomebodyIn(minute: number): boolean {
    const rate = this.rate(learned_weeks * week_h + Math.floor(minute / 60));
    return rate > 0 && this.chance.next() < 1 - Math.exp(-rate / 60);
  }

  /** What HQ has learned: an average for each hour of the week. */
  learned(): UsualHour[] {
    const sums = Array.from({ length: week_h }, () => 0);
    for (let hour = 0; hour < learned_weeks * week_h; hour += 1) {
      sums[hour % week_h] = (sums[hour % week_h] ?? 0) + this.#counted(this.rate(hour));
    }
    return sums.map((sum, hour) => usual(hour, sum / learned_weeks));
  }

  #counted(rate: number): number {
    return Math.max(0, Math.round(rate + Math.sqrt(rate) * this.#normal()));
  }

  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.chance.next()));
    return radius * Math.cos(2 * Math.PI * this.chance.next());
  }
}

/** An hour of the simulation, counted from its start. */
function usual(hour: number, people: number | null): UsualHour {
  return { start: hour * hour_ms, end: (hour + 1) * hour_ms, people };
}

export interface SilenceResult {
  readonly seed: number;
  readonly doors: number;
  readonly sensor_years: number;
  /** Working sensors that were called blind. */
  readonly false_alarms: number;
  readonly false_alarms_per_sensor_year: number;
  /** From its end to the alarm, in opening minutes, on average. */
  readonly delay_min: number;
}

export function watchSilence(doors: number, seed: number): SilenceResult {
  let false_alarms = 0;
  let delays_min = 0;
  for (let door = 0; door < doors; door += 1) {
    false_alarms += falseAlarms(new Door(seed * 1_000_003 + door));
    delays_min += delayOf(new Door(seed * 7_000_003 + door));
  }
  const sensor_years = (doors * watched_weeks) / 52;
  return {
    seed,
    doors,
    sensor_years: Math.round(sensor_years),
    false_alarms,
    false_alarms_per_sensor_year: false_alarms / sensor_years,
    delay_min: delays_min / doors,
  };
}

function falseAlarms(door: Door): number {
  const week = door.learned();
  let alarms = 0;
  let last = 0;
  let isAlarmed = false;
  for (let minute = 0; minute < watched_weeks * week_h * 60; minute += 1) {
    if (door.hasSomebodyIn(minute)) {
      last = minute;
      isAlarmed = false;
    } else if (!isAlarmed && isOpen(week, minute) && isBlind(week, last, minute)) {
      alarms += 1;
      isAlarmed = true;
    }
  }
  return alarms;
}

/** It dies at any opening minute of the week; the last person passed some while before. */
function delayOf(door: Door): number {
  const week = door.learned();
  const died = door.chance.below(closed_weekday) * 1_440 + 9 * 60 + door.chance.below(12 * 60);
  let last = died - 1;
  while (last > died - 12 * 60 && !door.hasSomebodyIn(last)) last -= 1;
  let open_min = 0;
  for (let minute = died; !isBlind(week, last, minute); minute += 1) {
    if (isOpen(week, minute)) open_min += 1;
  }
  return open_min;
}

function isOpen(week: readonly UsualHour[], minute: number): boolean {
  return (week[Math.floor(minute / 60) % week_h]?.people ?? 0) > 0;
}

/** As HQ asks once a minute. */
function isBlind(week: readonly UsualHour[], last: number, minute: number): boolean {
  const hours: UsualHour[] = [];
  for (let hour = Math.floor((last + 1) / 60); hour * 60 <= minute; hour += 1) {
    hours.push(usual(hour, week[hour % week_h]?.people ?? null));
  }
  const expected = expectedPeople(hours, (last + 1) * 60_000, (minute + 1) * 60_000);
  return expected >= blind_after_people;
}
