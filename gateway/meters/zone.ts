/** What a device says about a zone: the people in it now, and how long those who left had stayed. */
import { interval_s_max, readingFlags } from '../../shared/wire/reading.ts';
import type { Measure, MeasureRecord } from '../profiles/measure.ts';
import { believe } from './believed-time.ts';
import type { MeterState, MeterStep, StepTimes } from './meter.ts';
import { nameStart } from './reading-start.ts';

/** Whether a measure speaks of the people in a zone, not of those who crossed a line. */
export function isOfZone(target: Measure['target']): boolean {
  return target === 'occupancy' || target === 'dwell_s' || target === 'dwell_max_s';
}

export function zoneStep(
  state: MeterState,
  sensor_id: string,
  record: MeasureRecord,
  times: StepTimes,
): MeterStep {
  const { span, rejected } = believe(record, times.received_at, null);
  const value = (target: Measure['target']) =>
    record.measures.find((measure) => measure.target === target)?.value ?? null;
  // HQ takes no interval longer than an hour; a zone's state is that of the interval's end.
  const from = Math.max(span.from, span.to - interval_s_max * 1000);
  const named = nameStart(state.starts, from);
  return {
    state: { ...state, starts: named.starts, since: Math.max(state.since ?? 0, span.to) },
    readings: [
      {
        kind: 'zone',
        sensor_id,
        region_id: record.region_id,
        observed_at: named.observed_at,
        interval_s: (span.to - from) / 1000,
        occupancy: value('occupancy'),
        dwell_s: rounded(value('dwell_s')),
        dwell_max_s: rounded(value('dwell_max_s')),
        received_at: times.received_at,
        flags:
          (times.flags ?? 0) |
          (named.isLate ? readingFlags.late : 0) |
          (rejected ? readingFlags.device_time_rejected : 0),
      },
    ],
    notes: rejected ? ['device_time_rejected'] : [],
    changed: true,
  };
}

/** To the millisecond; finer is noise of the device, and smaller than HQ's column holds. */
function rounded(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1000) / 1000;
}
