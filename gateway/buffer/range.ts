/** Parts of the log by their sequences. Pure. */

/** Both ends belong to it. */
export interface Range {
  readonly first_sequence: number;
  readonly last_sequence: number;
}

/** Sequences in it, with a row or without. */
export function size({ first_sequence, last_sequence }: Range): number {
  return Math.max(0, last_sequence - first_sequence + 1);
}

export function touches(before: Range, after: Range): boolean {
  return before.last_sequence + 1 === after.first_sequence;
}

export function newestOf({ last_sequence }: Range, rows: number): Range {
  return { first_sequence: last_sequence - rows + 1, last_sequence };
}

export function holds(ranges: readonly Range[], sequence: number): boolean {
  return ranges.some((one) => one.first_sequence <= sequence && sequence <= one.last_sequence);
}

/** In ascending order, each apart from the next. */
export function union(ranges: readonly Range[]): Range[] {
  const sorted = ranges
    .filter((range) => size(range) > 0)
    .sort((a, b) => a.first_sequence - b.first_sequence);
  const joined: Range[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last === undefined || range.first_sequence > last.last_sequence + 1) joined.push(range);
    else {
      const last_sequence = Math.max(last.last_sequence, range.last_sequence);
      joined.splice(-1, 1, { ...last, last_sequence });
    }
  }
  return joined;
}

/** What of `ranges` is in none of `others`. */
export function without(ranges: readonly Range[], others: readonly Range[]): Range[] {
  const taken = union(others);
  return union(ranges).flatMap((range) => {
    const left: Range[] = [];
    let { first_sequence } = range;
    for (const other of taken) {
      if (other.last_sequence < first_sequence) continue;
      if (other.first_sequence > range.last_sequence) break;
      left.push({ first_sequence, last_sequence: other.first_sequence - 1 });
      first_sequence = other.last_sequence + 1;
    }
    left.push({ first_sequence, last_sequence: range.last_sequence });
    return left.filter((one) => size(one) > 0);
  });
}

/** What is in both. */
export function common(ranges: readonly Range[], others: readonly Range[]): Range[] {
  return without(ranges, without(ranges, others));
}
