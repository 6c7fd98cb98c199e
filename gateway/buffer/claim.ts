/** A part of the log that a batch has claimed. Pure. */
import type { Range } from './range.ts';

export interface Claim extends Range {
  readonly batch_id: string;
  readonly is_settled: boolean;
  /** Sequences of its range that have no row: their readings were added to others. */
  readonly holes: number;
}

/** @param row of the table `batches`. */
export function claimOf(row: unknown): Claim {
  const { is_settled, ...claim } = row as Omit<Claim, 'is_settled'> & { is_settled: number };
  return { ...claim, is_settled: is_settled === 1 };
}
