/**
 * What a counter's new total says about people, given what it said before. Pure.
 *
 * A fall or a leap is never believed at once: later samples decide, or evidence from the device. That
 * one rule covers a transient zero after a reconnect, a re-ordered frame, a replayed history, a
 * corrupted register and a real reset, each of which has counted phantom people somewhere. Where the
 * evidence leaves a doubt, people are missed rather than invented.
 */
import { count_max } from '../../shared/wire/reading.ts';

export interface Sample {
  readonly value: number;
  /** When it was taken, ms since the epoch. */
  readonly at: number;
}

export interface Counter extends Sample {
  /** Totals that are not believed yet: the first of them and the newest. */
  readonly held: { readonly first: Sample; readonly last: Sample } | null;
  /** The total before a fall that the device did not declare; it may yet come back. */
  readonly fallen?: Sample;
}

export interface CounterRules {
  /** Value at which the counter starts again at 0; null: never. */
  readonly modulus: number | null;
  /** Whether the device can lose its total; `often`: it clears it as a rule, at each door opening. */
  readonly resets: boolean | 'often';
  readonly people_per_minute_max: number;
  /**
   * What is known of a reset since the last sample: `declared` by the device, or `likely` because it
   * was restarted or its hour of the day has passed; a total that has fallen then did start again.
   */
  readonly reset: 'declared' | 'likely' | null;
  /** Another total of the same sample is above 0: a device that lost its line shows 0 in all of them. */
  readonly other_stands?: boolean;
  /** The totals of the sample fell together, from where they cannot both have come to their ends. */
  readonly restarted?: boolean;
}

export type CounterNote =
  | 'baseline'
  | 'held'
  | 'glitch_ignored'
  | 'jump_confirmed'
  | 'rebaselined'
  | 'reset'
  | 'wrapped';

export interface Advance {
  readonly counter: Counter;
  readonly people: number;
  readonly note: CounterNote | null;
}

/** More than this in one step is a replaced device or a wrong register, however often it repeats. */
const people_per_step_max = count_max;
/** Messages that a broker delivers again arrive within this; a device that fell stays down longer. */
const fall_ms = 1_000;
/** A total that came back this soon, without having moved, never was away. */
const transient_ms = 5 * 60_000;
/** So near its end a counter that reads 0 may have passed it; its next step tells. */
const near_end_share = 0.02;
/** A total restored from an older saved value must outlast any replay. */
export const small_fall_ms = 15 * 60_000;

export function advance(before: Counter | null, sample: Sample, rules: CounterRules): Advance {
  if (before === null) return believe(sample, 0, 'baseline');
  const plausible = (people: number, since: Sample) =>
    people >= 0 && people <= peoplePossible(sample.at - since.at, rules.people_per_minute_max);
  const fromZero = (): Advance =>
    plausible(sample.value, before)
      ? believe(sample, sample.value + passedBefore(before, rules), 'reset')
      : believe(sample, 0, 'rebaselined');

  if (rules.reset === 'declared') return fromZero();
  const rise = sample.value - before.value;
  const back = returned(before, sample, plausible);
  if (back !== null) return back;
  // More than half a round forward is less than half a round back: an older total, sent again.
  const isBack = rules.modulus !== null && rise > rules.modulus / 2;
  if (rise >= 0 && !isBack && plausible(rise, before)) {
    return believe(sample, rise, before.held === null ? null : 'glitch_ignored', before);
  }
  if (rise < 0 && rules.resets === 'often') return fromZero();
  if (rise < 0 && rules.reset === 'likely' && plausible(sample.value, before)) {
    return fallen(before, sample);
  }
  const wrapped = wrapRise(before.value, sample.value, rules.modulus);
  // Exactly 0 is what a lost connection shows as well: alone it waits for the next sample.
  const passed = sample.value > 0 || (rules.other_stands === true && riseToEnd(before, rules) > 0);
  const lostTotal = rules.restarted === true && rules.resets !== false;
  if (wrapped !== null && passed && !lostTotal && plausible(wrapped, before)) {
    return believe(sample, wrapped, 'wrapped');
  }
  const held = hold(before, sample, plausible);
  if (held.last === held.first) {
    return { counter: { ...before, held }, people: 0, note: 'held' };
  }
  if (rise > 0 && !isBack) {
    return rise <= people_per_step_max
      ? believe(sample, rise, 'jump_confirmed')
      : believe(sample, 0, 'rebaselined');
  }
  const down_ms = sample.at - held.first.at;
  const deep = rise < 0 && sample.value <= before.value / 2;
  const mayHavePassed = sample.value === 0 && riseToEnd(before, rules) > 0;
  if (down_ms < (deep ? fall_ms : small_fall_ms) || mayHavePassed) {
    return { counter: { ...before, held }, people: 0, note: null };
  }
  if (deep && rules.resets !== false && plausible(sample.value, before)) {
    return fallen(before, sample);
  }
  const moved = sample.value - held.first.value;
  return believe(sample, plausible(moved, held.first) ? moved : 0, 'rebaselined');
}

/** A reset that the device did not declare; what it counts is taken back should the total return. */
function fallen({ value, at }: Counter, sample: Sample): Advance {
  const counter = { ...sample, held: null, fallen: { value, at } };
  return { counter, people: sample.value, note: 'reset' };
}

function believe(
  { value, at }: Sample,
  people: number,
  note: CounterNote | null,
  before?: Counter,
): Advance {
  const stands = before?.fallen !== undefined && value === before.value;
  const fallen = stands ? { fallen: before.fallen } : {};
  return { counter: { value, at, held: null, ...fallen }, people, note };
}

type Plausible = (people: number, since: Sample) => boolean;

/** A total that has stood still since it fell, and stands where it was before: it never was away. */
function returned(before: Counter, sample: Sample, plausible: Plausible): Advance | null {
  const { fallen } = before;
  if (fallen === undefined || sample.at - fallen.at > transient_ms) return null;
  if (sample.value === before.value || !plausible(sample.value - fallen.value, fallen)) return null;
  const people = Math.max(0, sample.value - fallen.value - before.value);
  return believe(sample, people, 'glitch_ignored');
}

/** The totals that wait, with this one: it goes on where the last one stood, or it starts anew. */
function hold(
  { value, held }: Counter,
  sample: Sample,
  plausible: Plausible,
): { first: Sample; last: Sample } {
  const goesOn =
    held !== null &&
    held.last.value > value === sample.value > value &&
    plausible(sample.value - held.last.value, held.last);
  return { first: goesOn ? held.first : sample, last: sample };
}

/** Up to the end of the register, where that is near: what a 0 may mean; else 0. */
function riseToEnd({ value }: Counter, { modulus }: CounterRules): number {
  const rise = modulus === null ? 0 : modulus - value;
  return rise <= (modulus ?? 0) * near_end_share ? rise : 0;
}

/** A 0 that was still waiting when the device declared a reset was the end of the register. */
function passedBefore(before: Counter, rules: CounterRules): number {
  return before.held?.last.value === 0 ? riseToEnd(before, rules) : 0;
}

/** A burst of one full minute is always possible, however close two samples are. */
function peoplePossible(elapsed_ms: number, people_per_minute_max: number): number {
  return Math.ceil((people_per_minute_max * Math.max(elapsed_ms, 60_000)) / 60_000);
}

/** How far the counter went if it passed its width, or null where it cannot have. */
function wrapRise(before: number, now: number, modulus: number | null): number | null {
  if (modulus === null) return null;
  const rise = now + modulus - before;
  return now < before && rise <= modulus / 2 ? rise : null;
}
