/** One piece of a damaged file: its readings go into the log, and what is missing is counted. */
import { orNull } from './buffer-file.ts';
import { type Range, size, union } from './range.ts';
import { isRefusal } from './reading-rows.ts';
import type { Connection } from './schema.ts';
import type { SetAside, SetAsideFiles, Tally } from './set-aside.ts';

/** As many ranges as a line can name. */
const ranges_named_max = 40;

/** A reading in the order of {@link columnsIn}; the first is its sequence. */
type Row = readonly unknown[];

interface Piece {
  readonly file: string;
  readonly piece: Range;
  /** Numbers of the words that are known: a reading without its sensor is none. */
  readonly words: ReadonlySet<unknown>;
}

/**
 * Run inside a transaction.
 *
 * @param from null: nothing of it can be read.
 * @returns how many sequences of the piece that HQ did not have have no row in the log now.
 */
export function takePiece(
  from: Connection | null,
  into: Connection,
  files: SetAsideFiles,
  { file, piece, words }: Piece,
): number {
  const columns = from === null ? null : columnsIn(from, into);
  const { rows, unread } =
    from === null || columns === null
      ? { rows: [], unread: [piece] }
      : readRows(from, columns, piece);
  const stored = columns === null ? [] : store(into, columns.map(nameNow), rows, words);
  const gaps = gapsIn(piece, stored);
  if (gaps.length === 0) return 0;
  const before = files.of(file);
  const after = tallied(before, unread, gaps);
  files.count(file, after);
  return after.missing - before.missing;
}

/** Those that both know: the file may be of an older program. */
function columnsIn(from: Connection, into: Connection): string[] | null {
  const names = (of: Connection) =>
    (of.pragma('table_info(readings)') as { name: string }[]).map(({ name }) => name);
  const known = names(into);
  const shared = orNull(() => names(from).filter((name) => known.includes(nameNow(name))));
  return shared === null || shared.length === 0 ? null : shared;
}

/** The column that takes what an older program kept as `received_at`, see schema-of-short-rows.ts. */
function nameNow(column: string): string {
  return column === 'received_at' ? 'received' : column;
}

/** Where a range cannot be read, half of it is tried. */
function readRows(
  from: Connection,
  columns: readonly string[],
  range: Range,
): { rows: Row[]; unread: Range[] } {
  const rows: Row[] = [];
  const unread: Range[] = [];
  const select = `SELECT ${columns.join()} FROM readings WHERE sequence`;
  const several = from.prepare(`${select} BETWEEN ? AND ?`).raw();
  // A range looks at the row after its last one, on a page that may be gone.
  const one = from.prepare(`${select} = ?`).raw();
  const read = (first: number, last: number) => {
    try {
      const found = first === last ? one.all(first) : several.all(first, last);
      for (const row of found as Row[]) rows.push(row);
    } catch {
      if (first === last) {
        unread.push({ first_sequence: first, last_sequence: last });
        return;
      }
      const middle = Math.floor((first + last) / 2);
      read(first, middle);
      read(middle + 1, last);
    }
  };
  read(range.first_sequence, range.last_sequence);
  return { rows, unread: union(unread) };
}

/** @returns the sequences that are in the log now, in order. */
function store(
  into: Connection,
  columns: readonly string[],
  rows: readonly Row[],
  words: ReadonlySet<unknown>,
): number[] {
  const places = columns.map(() => '?').join();
  const add = into.prepare(`INSERT INTO readings (${columns.join()}) VALUES (${places})`);
  const [sensor, region] = [columns.indexOf('sensor'), columns.indexOf('region')];
  const stored: number[] = [];
  for (const row of rows) {
    if (!words.has(row[sensor]) || (row[region] !== null && !words.has(row[region]))) continue;
    try {
      add.run(...row);
      stored.push(row[0] as number);
    } catch (error) {
      // Bytes that SQLite took for a reading, and no table takes.
      if (!isRefusal(error)) throw error;
    }
  }
  return stored;
}

function gapsIn({ first_sequence, last_sequence }: Range, stored: readonly number[]): Range[] {
  const gaps: Range[] = [];
  let expected = first_sequence;
  for (const sequence of [...stored, last_sequence + 1]) {
    if (sequence > expected) gaps.push({ first_sequence: expected, last_sequence: sequence - 1 });
    expected = sequence + 1;
  }
  return gaps;
}

/** Only what HQ did not have can be lost. */
function tallied(
  before: SetAside & Tally,
  unread: readonly Range[],
  gaps: readonly Range[],
): Tally {
  const beyond = (ranges: readonly Range[]) =>
    ranges
      .map(({ first_sequence, last_sequence }) => {
        const first = Math.max(first_sequence, before.settled_sequence + 1);
        return { first_sequence: first, last_sequence };
      })
      .filter((range) => size(range) > 0);
  // Where readings were added to others, only failures to read are sure to name lost ones.
  const named = before.merged === 0 ? gaps : unread;
  return {
    missing: before.missing + sum(beyond(gaps)),
    unread: before.unread + sum(beyond(unread)),
    ranges: union([...before.ranges, ...beyond(named)]).slice(0, ranges_named_max),
  };
}

function sum(ranges: readonly Range[]): number {
  return ranges.reduce((all, range) => all + size(range), 0);
}
