/**
 * The meter: the state of one sensor that turns measures into readings. A pure step,
 * `(state, record, times) → (state, readings)`; the buffer stores state and readings together, so
 * that a crash can never keep one without the other.
 *
 * Law: what HQ sums for a cumulative sensor is last total − first total + declared resets.
 */
import { type Reading, readingFlags } from '../../shared/wire/reading.ts';
import type { Measure, MeasureRecord } from '../profiles/measure.ts';
import { believe } from './believed-time.ts';
import {
  advance,
  type Counter,
  type CounterNote,
  type CounterRules,
  small_fall_ms,
} from './cumulative.ts';
import { lastDailyReset } from './daily-reset.ts';
import { type Draft, place } from './placing.ts';
import { noStarts, type TakenStarts } from './reading-start.ts';
import { type Account, compare } from './second-account.ts';
import { sideBySide } from './side-by-side.ts';
import { isOfZone, zoneStep } from './zone.ts';

export interface MeterState {
  readonly totals: { readonly in: Counter | null; readonly out: Counter | null };
  /** End of the last interval that became a reading, ms since the epoch; null before the first. */
  readonly since: number | null;
  /** People of the cumulative counters that no reading carries yet. */
  readonly pending: { readonly in: number; readonly out: number; readonly flags: number };
  /** Which starts are taken. */
  readonly starts: TakenStarts;
  /** What the device last gave as its reset marker; missing before it did. */
  readonly reset_marker?: string | undefined;
  /** How long the device last said it had been running; missing where it does not. */
  readonly uptime?: number | undefined;
  /** The totals were last dated by the device's own clock. */
  readonly by_device_time?: boolean | undefined;
  /** The device's second account of the same people; missing where it keeps none. */
  readonly account?: Account | undefined;
  /** Whose totals these are; missing before the first frame. See device-change.ts. */
  readonly device?: string | undefined;
}

export const newMeterState: MeterState = {
  totals: { in: null, out: null },
  since: null,
  pending: { in: 0, out: 0, flags: 0 },
  starts: noStarts,
};

export type MeterNote =
  | CounterNote
  | 'accounts_differ'
  | 'clock_stepped_back'
  | 'counted_by_total'
  | 'device_time_rejected'
  | 'history_ignored';

export interface MeterStep {
  readonly state: MeterState;
  readonly readings: readonly Reading[];
  readonly notes: readonly MeterNote[];
  /** False when only sample times moved: not worth a write to the disk. */
  readonly changed: boolean;
}

export interface StepTimes {
  /** ms since the epoch. */
  readonly received_at: number;
  /** How often a polled counter becomes a reading, ms; boundaries lie on multiples of it. */
  readonly report_interval_ms: number;
  /** {@link readingFlags} of every reading that this record has a part in; missing: none. */
  readonly flags?: number;
  /** The interval began before the start: what it holds is compared with what HQ has of it. */
  readonly isResumed?: boolean;
}

/** The clock may be set back by this much without a new start of the interval. */
const step_back_max_ms = 15 * 60 * 1000;

export function step(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  times: StepTimes,
): MeterStep {
  const { measures } = record;
  if (measures.some(({ target }) => isOfZone(target)))
    return zoneStep(state, sensor_id, record, times);
  if (measures.some(isTotal)) {
    return totalsStep(state, sensor_id, record, measures.filter(isTotal), times);
  }
  const counts = (measure: Measure) => measure.role !== 'check' && !countedByTotal(state, measure);
  // Of most messages all count, and an array for each of them is garbage.
  const counted = measures.every(counts) ? measures : measures.filter(counts);
  if (counted.length === 0) {
    return { state, readings: [], notes: ['counted_by_total'], changed: false };
  }
  return additiveStep(state, sensor_id, record, counted, times);
}

function isTotal({ semantics, role }: Measure): boolean {
  return semantics === 'cumulative' && role !== 'check';
}

/** A period's people are in the total already, which survives a lost frame and the period does not. */
function countedByTotal(state: MeterState, { target, role }: Measure): boolean {
  return (
    role === 'fallback' && (target === 'in' || target === 'out') && state.totals[target] !== null
  );
}

/** Deltas and events: the device says how many, the meter says when and under which name. */
function additiveStep(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  counted: readonly Measure[],
  times: StepTimes,
): MeterStep {
  const { span, rejected } = believe(record, times.received_at, state.since);
  const people = { in: 0, out: 0 };
  let isEvent = true;
  for (const { target, value, semantics } of counted) {
    if (target === 'in' || target === 'out') people[target] += value;
    isEvent &&= semantics === 'event';
  }
  const draft: Draft = {
    span: isEvent ? { from: span.to, to: span.to } : span,
    in: people.in,
    out: people.out,
    flags: (times.flags ?? 0) | (rejected ? readingFlags.device_time_rejected : 0),
  };
  const { starts, readings } = place(state.starts, sensor_id, draft, times.received_at);
  const { account, differs } = compare(state.account, record.measures, draft);
  const notes: MeterNote[] = rejected ? ['device_time_rejected'] : [];
  if (differs) notes.push('accounts_differ');
  // Every message comes by here, and copying a state that is not spelt out is slow.
  const moved: MeterState = {
    totals: state.totals,
    since: Math.max(state.since ?? 0, span.to),
    pending: state.pending,
    starts,
    reset_marker: state.reset_marker,
    uptime: state.uptime,
    by_device_time: state.by_device_time,
    account,
    device: state.device,
  };
  return { state: moved, readings, notes, changed: true };
}

/** Totals: the difference counts, collected until a report boundary is passed. */
function totalsStep(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  totals: readonly Measure[],
  times: StepTimes,
): MeterStep {
  const believed = believe(record, times.received_at, state.since);
  const at = Math.floor(believed.span.to / 1000) * 1000;
  const notes: MeterNote[] = believed.rejected ? ['device_time_rejected'] : [];
  const counters = { ...state.totals };
  const pending = { ...state.pending };
  const own = !believed.rejected && record.device.to !== null;
  if (own && isHistory(state, totals, believed.span.to)) {
    return { state, readings: [], notes: ['history_ignored'], changed: false };
  }
  const { people_per_minute_max } = record;
  for (const { target, value, modulus, resets } of totals) {
    if (target !== 'in' && target !== 'out') continue;
    const before = counters[target];
    const sample = { value, at: believed.span.to };
    const reset = resetSince(state, record, before, sample.at);
    const others = sideBySide(state.totals, totals, target);
    const rules = { modulus, resets, people_per_minute_max, reset, ...others };
    const result = advance(before, sample, rules);
    counters[target] = result.counter;
    pending[target] += result.people;
    if (result.note !== null) {
      notes.push(result.note);
      pending.flags |= flagOf(result.note);
    }
  }
  if (believed.rejected) pending.flags |= readingFlags.device_time_rejected;
  pending.flags |= times.flags ?? 0;
  const counted = pending.in !== state.pending.in || pending.out !== state.pending.out;
  const { reset_marker, uptime } = record;
  const marked = reset_marker !== null && reset_marker !== state.reset_marker;
  const next: MeterState = {
    ...state,
    totals: counters,
    pending,
    since: state.since ?? at,
    ...(own === (state.by_device_time ?? false) ? {} : { by_device_time: own }),
    ...(marked ? { reset_marker } : {}),
    ...(uptime === undefined ? {} : { uptime }),
  };
  const reported = report(next, sensor_id, at, times);
  notes.push(...reported.notes);
  return {
    state: reported.state,
    readings: reported.readings,
    notes,
    changed: counted || marked || notes.length > 0 || reported.readings.length > 0,
  };
}

/** By the device's own clock the total is an older one: a later one has all its people. */
function isHistory(
  { by_device_time, totals }: MeterState,
  measures: readonly Measure[],
  at: number,
): boolean {
  if (by_device_time !== true) return false;
  return measures.some(({ target }) => {
    const before = target === 'in' || target === 'out' ? totals[target] : null;
    return before !== null && at < before.at;
  });
}

/** What is known of a reset between the last believed total and this one. */
function resetSince(
  state: MeterState,
  { reset_marker, uptime, resets_daily }: MeasureRecord,
  before: Counter | null,
  at: number,
): CounterRules['reset'] {
  if (reset_marker !== null && state.reset_marker !== undefined) {
    if (reset_marker !== state.reset_marker) return 'declared';
  }
  if (uptime !== undefined && state.uptime !== undefined && uptime < state.uptime) return 'likely';
  if (resets_daily === undefined || before === null) return null;
  return lastDailyReset(resets_daily, at) > before.at ? 'likely' : null;
}

/** The reading of the interval that has just closed, if one has. */
function report(
  state: MeterState,
  sensor_id: string,
  at: number,
  times: StepTimes,
): Pick<MeterStep, 'state' | 'readings' | 'notes'> {
  const since = state.since ?? at;
  if (at < since - step_back_max_ms) {
    return { state: { ...state, since: at }, readings: [], notes: ['clock_stepped_back'] };
  }
  const period = (time: number) => Math.floor(time / times.report_interval_ms);
  if (period(at) <= period(since)) return { state, readings: [], notes: [] };
  if (times.isResumed === true && isInDoubt(state, at)) return { state, readings: [], notes: [] };
  const late = at - since > 2 * times.report_interval_ms;
  const draft: Draft = {
    span: { from: since, to: at },
    in: state.pending.in,
    out: state.pending.out,
    flags: state.pending.flags | (late ? readingFlags.gap : 0),
  };
  const { starts, readings } = place(state.starts, sensor_id, draft, times.received_at);
  const pending = { in: 0, out: 0, flags: 0 };
  return { state: { ...state, starts, since: at, pending }, readings, notes: [] };
}

/** People of a total that is not believed yet belong to the interval in which it came. */
function isInDoubt({ totals }: MeterState, at: number): boolean {
  return [totals.in, totals.out].some((counter) => {
    const since = counter?.held?.first.at;
    return since !== undefined && at - since < small_fall_ms;
  });
}

function flagOf(note: CounterNote): number {
  if (note === 'wrapped') return readingFlags.wrapped;
  return note === 'reset' || note === 'rebaselined' ? readingFlags.reset : 0;
}
