/**
 * What a counter's new total says about people, given what it said before. Pure.
 *
 * A fall or a leap is never believed at once: the next sample decides. That one rule covers a
 * transient zero after a reconnect, a re-ordered frame, a corrupted register and a real reset,
 * without a list of special cases (each of which has counted phantom people somewhere).
 */
import { count_max } from '../../shared/wire/reading.ts';

export interface Counter {
  /** Last believed total. */
  readonly value: number;
  /** When it was sampled, ms since the epoch. */
  readonly at: number;
  /** A total that was not believed yet, or null. */
  readonly held: { readonly value: number; readonly at: number } | null;
}

export interface CounterRules {
  /** Value at which the counter starts again at 0; null: never. */
  readonly modulus: number | null;
  /** Whether the device can lose its total. */
  readonly resets: boolean;
  readonly people_per_minute_max: number;
  /** The device said that it started again at 0 since the last sample. */
  readonly declared_reset: boolean;
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

export function advance(
  before: Counter | null,
  sample: { readonly value: number; readonly at: number },
  rules: CounterRules,
): Advance {
  const believed: Counter = { value: sample.value, at: sample.at, held: null };
  if (before === null) return { counter: believed, people: 0, note: 'baseline' };

  const plausible = (people: number, since: number) =>
    people >= 0 && people <= peoplePossible(sample.at - since, rules.people_per_minute_max);
  if (rules.declared_reset) {
    return plausible(sample.value, before.at)
      ? { counter: believed, people: sample.value, note: 'reset' }
      : { counter: believed, people: 0, note: 'rebaselined' };
  }
  const rise = sample.value - before.value;
  const { held } = before;

  if (rise >= 0 && plausible(rise, before.at)) {
    return { counter: believed, people: rise, note: held === null ? null : 'glitch_ignored' };
  }
  const wrapped = wrapRise(before.value, sample.value, rules.modulus);
  if (wrapped !== null && plausible(wrapped, before.at)) {
    return { counter: believed, people: wrapped, note: 'wrapped' };
  }

  const sameSide = held !== null && held.value > before.value === rise > 0;
  const confirmed = held !== null && sameSide && plausible(sample.value - held.value, held.at);
  if (!confirmed) {
    return { counter: { ...before, held: sample }, people: 0, note: 'held' };
  }
  if (rise > 0) {
    return rise <= people_per_step_max
      ? { counter: believed, people: rise, note: 'jump_confirmed' }
      : { counter: believed, people: 0, note: 'rebaselined' };
  }
  return rules.resets && plausible(sample.value, before.at)
    ? { counter: believed, people: sample.value, note: 'reset' }
    : { counter: believed, people: 0, note: 'rebaselined' };
}

/** A burst of one full minute is always possible, however close two samples are. */
function peoplePossible(elapsed_ms: number, people_per_minute_max: number): number {
  return Math.ceil((people_per_minute_max * Math.max(elapsed_ms, 60_000)) / 60_000);
}

/** How far the counter went if it passed its width, or null where it cannot have. */
function wrapRise(before: number, now: number, modulus: number | null): number | null {
  if (modulus === null) return null;
  const nearEnd = before >= modulus / 2 && now < modulus / 2;
  return nearEnd ? now + modulus - before : null;
}
