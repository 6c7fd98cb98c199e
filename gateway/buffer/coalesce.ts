/**
 * Count readings added together when the buffer is near its quota. What HQ makes of the result is what
 * it would have made of the parts: people of a sensor and a quarter hour, and how long it was watched.
 * Pure.
 */
import { count_max, interval_s_max, readingFlags } from '../../shared/wire/reading.ts';

/** People who crossed a line, as the log keeps them: no region, `sensor` is a word's number. */
export interface CountRow {
  readonly sequence: number;
  readonly sensor: number;
  /** ms since the epoch. */
  readonly observed_at: number;
  readonly interval_s: number;
  readonly in_count: number;
  readonly out_count: number;
  readonly received_at: number;
  readonly flags: number;
}

/** A row that takes the place of several: its sequence and its start are the first of theirs. */
export interface Sum {
  readonly row: CountRow;
  /** In the order of their times. */
  readonly parts: readonly CountRow[];
}

/** Every zone's offset is a multiple of it, so the hour stays right in all of them. */
const quarter_hour_ms = 900_000;
/** Starts that found their second taken have milliseconds of their own, see reading-start.ts. */
const named_apart_ms = 1_000;
/** From a sum's first part to its last at most, in sequences: so far a batch looks around itself. */
export const sum_span_max = 8_192;

/** Rows that follow each other, added up. */
interface Chain {
  readonly row: CountRow;
  readonly parts: CountRow[];
  /** Where its last row ends, ms since the epoch. */
  readonly end: number;
  /** The highest sequence of its rows. */
  readonly newest: number;
}

/**
 * Adds rows of one sensor that start in one quarter hour and follow each other without a gap, so that
 * start and end stay exact; crossings at a moment follow each other whatever lies between.
 *
 * @returns the rows that came of several.
 */
export function coalesce(rows: readonly CountRow[]): Sum[] {
  return chainsOf(rows).filter(({ parts }) => parts.length > 1);
}

function chainsOf(rows: readonly CountRow[]): Chain[] {
  const sorted = [...rows].sort(
    (a, b) => a.sensor - b.sensor || a.observed_at - b.observed_at || a.sequence - b.sequence,
  );
  const chains: Chain[] = [];
  for (const row of sorted) {
    const chain = chains.at(-1);
    const longer = chain === undefined ? null : joined(chain, row);
    if (longer === null) chains.push({ row, parts: [row], end: endOf(row), newest: row.sequence });
    else chains[chains.length - 1] = longer;
  }
  return chains;
}

/** @returns null where the row does not follow, or the sum would be more than a reading may say. */
function joined({ row: sum, parts, end, newest }: Chain, row: CountRow): Chain | null {
  const isSameQuarter = sum.sensor === row.sensor && quarterOf(sum) === quarterOf(row);
  const arePoints = sum.interval_s === 0 && row.interval_s === 0;
  const areSpans = sum.interval_s > 0 && row.interval_s > 0;
  const touches = areSpans && Math.abs(row.observed_at - end) < named_apart_ms;
  if (!isSameQuarter || !(arePoints || touches)) return null;
  const both = sumOf(sum, row);
  if (both.in_count > count_max || both.out_count > count_max) return null;
  if (both.interval_s > interval_s_max) return null;
  const newer = Math.max(newest, row.sequence);
  if (newer - both.sequence >= sum_span_max) return null;
  parts.push(row);
  return { row: both, parts, end: endOf(row), newest: newer };
}

function endOf({ observed_at, interval_s }: CountRow): number {
  return observed_at + interval_s * 1000;
}

function quarterOf({ observed_at }: CountRow): number {
  return Math.floor(observed_at / quarter_hour_ms);
}

/** @param a the earlier one. */
export function sumOf(a: CountRow, b: CountRow): CountRow {
  return {
    sequence: Math.min(a.sequence, b.sequence),
    sensor: a.sensor,
    observed_at: a.observed_at,
    interval_s: Math.round((a.interval_s + b.interval_s) * 1000) / 1000,
    in_count: a.in_count + b.in_count,
    out_count: a.out_count + b.out_count,
    received_at: Math.max(a.received_at, b.received_at),
    flags: a.flags | b.flags | readingFlags.coalesced,
  };
}
