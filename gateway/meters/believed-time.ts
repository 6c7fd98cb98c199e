/** Which of the device's and the gateway's times to trust for one record. Pure. */
import type { MeasureRecord } from '../profiles/measure.ts';
import type { Span } from './quarter-hours.ts';

/** Before this no counter of today was switched on; unset clocks say 1970, 1975 or 2000. */
const earliest_ms = Date.UTC(2015, 0, 1);
/** Device clocks run a few seconds ahead; further ahead they are wrong. */
const ahead_max_ms = 10 * 60 * 1000;
/** No device reports a longer interval than a day in one record. */
const interval_max_ms = 24 * 60 * 60 * 1000;

export interface BelievedTime {
  readonly span: Span;
  /** The device sent a time that is not believed; the receive time stands in its place. */
  readonly rejected: boolean;
}

/**
 * @param since end of the sensor's previous interval, for devices that name no times at all.
 */
export function believe(
  record: MeasureRecord,
  received_at: number,
  since: number | null,
): BelievedTime {
  const { from, to } = record.device;
  const length = record.interval_s === null ? null : record.interval_s * 1000;
  const believable = (time: number | null) =>
    time === null || (time >= earliest_ms && time <= received_at + ahead_max_ms);
  const span = namedSpan(from, to, length, since);
  const ordered = span === null || (span.from <= span.to && span.to - span.from <= interval_max_ms);
  if (!record.time_unreadable && believable(from) && believable(to) && ordered && span !== null) {
    return { span, rejected: false };
  }
  const sent = record.time_unreadable || from !== null || to !== null;
  return { span: receiveSpan(span, length, received_at, since), rejected: sent };
}

function namedSpan(
  from: number | null,
  to: number | null,
  length: number | null,
  since: number | null,
): Span | null {
  if (from !== null && to !== null) return { from, to };
  if (to !== null) {
    const pause = since === null ? 0 : Math.min(Math.max(to - since, 0), interval_max_ms);
    return { from: to - (length ?? pause), to };
  }
  if (from !== null) return { from, to: from + (length ?? 0) };
  return null;
}

/** The interval that ends at arrival, as long as the device says or as the pause since the last. */
function receiveSpan(
  named: Span | null,
  length: number | null,
  received_at: number,
  since: number | null,
): Span {
  const own = named === null ? null : named.to - named.from;
  const credible = own !== null && own >= 0 && own <= interval_max_ms ? own : null;
  const pause = since === null ? 0 : Math.min(Math.max(received_at - since, 0), interval_max_ms);
  return { from: received_at - (credible ?? length ?? pause), to: received_at };
}
