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
import { advance, type Counter, type CounterNote } from './cumulative.ts';
import { type Span, share, splitSpan } from './quarter-hours.ts';
import { nameStart, noStarts, type TakenStarts } from './reading-start.ts';

export interface MeterState {
  readonly totals: { readonly in: Counter | null; readonly out: Counter | null };
  /** End of the last interval that became a reading, ms since the epoch; null before the first. */
  readonly since: number | null;
  /** People of the cumulative counters that no reading carries yet. */
  readonly pending: { readonly in: number; readonly out: number; readonly flags: number };
  /** Which starts are taken. */
  readonly starts: TakenStarts;
}

export const newMeterState: MeterState = {
  totals: { in: null, out: null },
  since: null,
  pending: { in: 0, out: 0, flags: 0 },
  starts: noStarts,
};

export type MeterNote = CounterNote | 'clock_stepped_back' | 'device_time_rejected';

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
}

/** A reading before it has its place in time. */
interface Draft {
  readonly span: Span;
  readonly in: number;
  readonly out: number;
  readonly flags: number;
}

/** The clock may be set back by this much without a new start of the interval. */
const step_back_max_ms = 15 * 60 * 1000;

export function step(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  times: StepTimes,
): MeterStep {
  const of = (...semantics: Measure['semantics'][]) =>
    record.measures.filter((measure) => semantics.includes(measure.semantics));
  const instant = of('instant');
  if (instant.length > 0) return zoneStep(state, sensor_id, record, times);
  const totals = of('cumulative');
  return totals.length > 0
    ? totalsStep(state, sensor_id, record, totals, times)
    : additiveStep(state, sensor_id, record, times);
}

/** Deltas and events: the device says how many, the meter says when and under which name. */
function additiveStep(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  times: StepTimes,
): MeterStep {
  const { span, rejected } = believe(record, times.received_at, state.since);
  const sum = (target: 'in' | 'out') =>
    record.measures.reduce((all, m) => (m.target === target ? all + m.value : all), 0);
  const event = record.measures.every((measure) => measure.semantics === 'event');
  const draft: Draft = {
    span: event ? { from: span.to, to: span.to } : span,
    in: sum('in'),
    out: sum('out'),
    flags: rejected ? readingFlags.device_time_rejected : 0,
  };
  const placed = place(state, sensor_id, draft, times.received_at);
  return {
    state: { ...placed.state, since: Math.max(state.since ?? 0, span.to) },
    readings: placed.readings,
    notes: rejected ? ['device_time_rejected'] : [],
    changed: true,
  };
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
  for (const { target, value, modulus, resets } of totals) {
    if (target !== 'in' && target !== 'out') continue;
    const rules = { modulus, resets, people_per_minute_max: record.people_per_minute_max };
    const result = advance(counters[target], { value, at: believed.span.to }, rules);
    counters[target] = result.counter;
    pending[target] += result.people;
    if (result.note !== null) {
      notes.push(result.note);
      pending.flags |= flagOf(result.note);
    }
  }
  if (believed.rejected) pending.flags |= readingFlags.device_time_rejected;
  const counted = pending.in !== state.pending.in || pending.out !== state.pending.out;
  const next: MeterState = { ...state, totals: counters, pending, since: state.since ?? at };
  const reported = report(next, sensor_id, at, times);
  notes.push(...reported.notes);
  return {
    state: reported.state,
    readings: reported.readings,
    notes,
    changed: counted || notes.length > 0 || reported.readings.length > 0,
  };
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
  const late = at - since > 2 * times.report_interval_ms;
  const draft: Draft = {
    span: { from: since, to: at },
    in: state.pending.in,
    out: state.pending.out,
    flags: state.pending.flags | (late ? readingFlags.gap : 0),
  };
  const placed = place(state, sensor_id, draft, times.received_at);
  const pending = { in: 0, out: 0, flags: 0 };
  return { state: { ...placed.state, since: at, pending }, readings: placed.readings, notes: [] };
}

function zoneStep(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  times: StepTimes,
): MeterStep {
  const { span, rejected } = believe(record, times.received_at, null);
  const value = (target: Measure['target']) =>
    record.measures.find((measure) => measure.target === target)?.value ?? null;
  const named = nameStart(state.starts, span.to);
  return {
    state: { ...state, starts: named.starts, since: Math.max(state.since ?? 0, span.to) },
    readings: [
      {
        kind: 'zone',
        sensor_id,
        region_id: record.region_id,
        observed_at: named.observed_at,
        interval_s: 0,
        occupancy: value('occupancy'),
        dwell_s: rounded(value('dwell_s')),
        received_at: times.received_at,
        flags:
          (named.isLate ? readingFlags.late : 0) |
          (rejected ? readingFlags.device_time_rejected : 0),
      },
    ],
    notes: rejected ? ['device_time_rejected'] : [],
    changed: true,
  };
}

/** Cuts a draft at quarter hours where it is long, and gives each part its start. */
function place(
  state: MeterState,
  sensor_id: string,
  draft: Draft,
  received_at: number,
): { state: MeterState; readings: Reading[] } {
  const parts = splitSpan(draft.span);
  const cut = parts.length > 1 ? readingFlags.split : 0;
  const shares =
    parts.length > 1
      ? { in: share(draft.in, parts), out: share(draft.out, parts) }
      : { in: [draft.in], out: [draft.out] };
  let { starts } = state;
  const readings = parts.map((part, i): Reading => {
    const named = nameStart(starts, part.from);
    starts = named.starts;
    return {
      kind: 'count',
      sensor_id,
      observed_at: named.observed_at,
      interval_s: (part.to - part.from) / 1000,
      in: shares.in[i] ?? 0,
      out: shares.out[i] ?? 0,
      received_at,
      flags: draft.flags | cut | (named.isLate ? readingFlags.late : 0),
    };
  });
  return { state: { ...state, starts }, readings };
}

function flagOf(note: CounterNote): number {
  if (note === 'wrapped') return readingFlags.wrapped;
  return note === 'reset' || note === 'rebaselined' ? readingFlags.reset : 0;
}

/** To the millisecond; finer is noise of the device, and smaller than HQ's column holds. */
function rounded(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1000) / 1000;
}
