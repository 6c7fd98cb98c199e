/** Where in time the people of an interval stand: cut at quarter hours, each part with its start. */
import { type Reading, readingFlags } from '../../shared/wire/reading.ts';
import { type Span, share, splitSpan } from './quarter-hours.ts';
import { nameStart, type TakenStarts } from './reading-start.ts';

/** A reading before it has its place in time. */
export interface Draft {
  readonly span: Span;
  readonly in: number;
  readonly out: number;
  readonly flags: number;
}

/** Cuts a draft at quarter hours where it is long, and gives each part its start. */
export function place(
  taken: TakenStarts,
  sensor_id: string,
  draft: Draft,
  received_at: number,
): { starts: TakenStarts; readings: Reading[] } {
  const parts = splitSpan(draft.span);
  const cut = parts.length > 1 ? readingFlags.split : 0;
  const shares =
    parts.length > 1 ? { in: share(draft.in, parts), out: share(draft.out, parts) } : undefined;
  let starts = taken;
  const readings = parts.map((part, i): Reading => {
    const named = nameStart(starts, part.from);
    starts = named.starts;
    return {
      kind: 'count',
      sensor_id,
      observed_at: named.observed_at,
      interval_s: (part.to - part.from) / 1000,
      in: shares === undefined ? draft.in : (shares.in[i] ?? 0),
      out: shares === undefined ? draft.out : (shares.out[i] ?? 0),
      received_at,
      flags: draft.flags | cut | (named.isLate ? readingFlags.late : 0),
    };
  });
  return { starts, readings };
}
