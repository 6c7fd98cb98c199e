/** From where and up to where a damaged log can be read. */
import type { Connection } from './schema.ts';

/** Beyond any log: so many readings a second for two thousand years. */
const sequence_max = 2 ** 42;
/** Each look goes so much further than the one before. */
const stride = 1.1;

/**
 * The newest sequence that may have a row. Where the end of the log cannot be read, that is one past the
 * newest readable row: how many followed it stands nowhere else in the file.
 *
 * @param from where the looking begins; what is known to have been there.
 */
export function newestReadable(log: Connection, from: number): number {
  const newest = log.prepare('SELECT max(sequence) FROM readings').pluck();
  try {
    return Math.max(from, (newest.get() as number | null) ?? 0);
  } catch {
    return Math.max(from, newestBeforeDamage(log, from) + 1);
  }
}

/** The oldest sequence that can be read, or null. */
export function oldestReadable(log: Connection): number | null {
  const after = log.prepare('SELECT min(sequence) FROM readings WHERE sequence >= ?').pluck();
  const rowAfter = (sequence: number) => {
    try {
      return after.get(sequence) as number | null;
    } catch {
      return undefined;
    }
  };
  let unreadable = 0;
  let readable = 1;
  while (rowAfter(readable) === undefined) {
    if (readable > sequence_max) return null;
    unreadable = readable;
    readable = Math.ceil(readable * stride);
  }
  while (readable - unreadable > 1) {
    const middle = Math.floor((readable + unreadable) / 2);
    if (rowAfter(middle) === undefined) unreadable = middle;
    else readable = middle;
  }
  return rowAfter(readable) ?? null;
}

/** Damage may lie before the end too, so beyond each place that cannot be read another may be found. */
function newestBeforeDamage(log: Connection, from: number): number {
  const before = log
    .prepare('SELECT sequence FROM readings WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1')
    .pluck();
  /** @returns undefined where it cannot be read. */
  const rowBefore = (sequence: number): number | undefined => {
    try {
      return (before.get(sequence) as number | undefined) ?? 0;
    } catch {
      return undefined;
    }
  };
  let newest = from;
  for (;;) {
    const further = lookFurther(newest, rowBefore);
    if (further === null) return newest;
    newest = further;
  }
}

/** @returns the last row before the damage that follows the furthest readable place, or null. */
function lookFurther(
  from: number,
  rowBefore: (sequence: number) => number | undefined,
): number | null {
  let readable: number | null = null;
  let unreadable = sequence_max;
  for (let distance = 1; from + distance < sequence_max; distance = Math.ceil(distance * stride)) {
    const row = rowBefore(from + distance);
    if (row !== undefined && row > from) {
      readable = from + distance;
      unreadable = sequence_max;
    } else if (unreadable === sequence_max) unreadable = from + distance;
  }
  if (readable === null) return null;
  while (unreadable - readable > 1) {
    const middle = Math.floor((readable + unreadable) / 2);
    if (rowBefore(middle) === undefined) unreadable = middle;
    else readable = middle;
  }
  return rowBefore(readable) ?? readable;
}
