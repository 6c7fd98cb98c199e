/** Parts of the log by their sequences. Pure. */

/** Both ends belong to it. */
export interface Range {
  readonly first_sequence: number;
  readonly last_sequence: number;
}

/** Sequences in it, with a row or without. */
export function size({ first_sequence, last_sequence }: Range): number {
  return last_sequence - first_sequence + 1;
}

export function touches(before: Range, after: Range): boolean {
  return before.last_sequence + 1 === after.first_sequence;
}

export function newestOf({ last_sequence }: Range, rows: number): Range {
  return { first_sequence: last_sequence - rows + 1, last_sequence };
}
