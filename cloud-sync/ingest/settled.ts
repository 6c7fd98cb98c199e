/**
 * Which rows of a batch HQ has answered for already. Pure.
 *
 * Of an epoch that heartbeats told, (epoch, sequence) names one reading for ever, and HQ remembers
 * each that it stored, alone or in a sum, or refused: such a row is known whatever else is.
 */
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import { readingFlags } from '../../shared/wire/reading.ts';
import type { CountColumns, ZoneColumns } from './batch-columns.ts';
import { keepRows } from './batch-columns.ts';

/** Sequences from and to, both inclusive, ascending and apart. */
export type Ranges = readonly (readonly [number, number])[];

/** As PostgreSQL reads a multirange. */
export function multirangeOf(ranges: Ranges): string {
  return `{${ranges.map(([first, last]) => `[${first},${last}]`).join(',')}}`;
}

/** Single sequences in any order, as PostgreSQL reads a multirange. */
export function pointsOf(sequences: readonly number[] = []): string {
  return multirangeOf(sequences.map((sequence) => [sequence, sequence]));
}

export function isWithin(ranges: Ranges, sequence: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.[1] ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return (ranges[low]?.[0] ?? Number.POSITIVE_INFINITY) <= sequence;
}

/** How many sequences a batch settles: its range without `absent`, with `included`. */
function settledBy(batch: Batch): number {
  const { first_sequence: first, last_sequence: last } = batch;
  const absent = new Set(batch.absent);
  const added = [...new Set(batch.included)].filter(
    (sequence) => sequence < first || sequence > last || absent.has(sequence),
  );
  return last - first + 1 - absent.size + added.length;
}

/** What is left to store of a batch. */
export interface Unsettled {
  readonly counts: CountColumns;
  readonly zones: ZoneColumns;
  readonly duplicate: number;
  readonly rejected: BatchAnswer['rejected'];
}

/**
 * Takes the rows out that HQ has answered for.
 *
 * A sum of which HQ has a part cannot be stored without counting that part twice. A batch says which
 * sequences are in its sums, but not in which: unless HQ has all of them or none, the sums of a batch
 * are refused and stand in the ledger. Only two machines with one log come to that.
 *
 * @param known of what the batch settles, what was settled before.
 */
export function takeSettled(batch: Batch, known: Ranges): Unsettled {
  const { counts, zones } = batch;
  if (known.length === 0) return { counts, zones, duplicate: 0, rejected: [] };
  const rows = [...counts.sequence, ...zones.sequence];
  const knownRows = rows.filter((sequence) => isWithin(known, sequence)).length;
  const parts = settledBy(batch) - rows.length;
  const knownParts = sizeOf(known) - knownRows;
  let duplicate = 0;
  const rejected: BatchAnswer['rejected'] = [];
  const isNew = (sequence: number, flags: number): boolean => {
    const isKnown = isWithin(known, sequence);
    const isSum = (flags & readingFlags.coalesced) !== 0;
    if (!isKnown && !(isSum && knownParts > 0)) return true;
    if (isKnown && !(isSum && knownParts < parts)) duplicate += 1;
    else {
      const detail = `HQ has ${knownParts} of ${parts} readings that are in sums of this batch`;
      rejected.push({ sequence, code: 'reading_conflict', detail });
    }
    return false;
  };
  const left = <C extends CountColumns | ZoneColumns>(columns: C): C =>
    keepRows(
      columns,
      columns.sequence.map((sequence, row) => isNew(sequence, columns.flags[row] ?? 0)),
    );
  return { counts: left(counts), zones: left(zones), duplicate, rejected };
}

function sizeOf(ranges: Ranges): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
