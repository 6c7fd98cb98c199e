/**
 * What can still be read of a damaged buffer goes into the one that takes its place: readings, what the
 * meters knew, the keys of counted messages. Readings of pages that are gone stand in quarantine's
 * ledger, with their sequences, so that HQ hears how many there were.
 *
 * Epochs and sequences stay, so HQ can tell which of them it has (reconcile.ts).
 */
import Database from 'better-sqlite3';
import { Ledger } from './ledger.ts';
import { Quarantine } from './quarantine.ts';
import type { Connection } from './schema.ts';

/** Rows that are read at once; where they cannot be, half of them are tried. */
const rows_at_once = 4_096;
/** Delivered readings that are brought along as the memory of what was counted. */
const delivered_rows_max = 100_000;

const meter_columns = 'sensor, device, start_second, since, numbers, rest';

/** The first whose meters are numbers and whose losses belong to an epoch. */
const schema_of_numbers = 8;
/** The first that knows which process appended what. */
const schema_of_epochs = 9;

interface Life {
  readonly epoch: string;
  readonly settled_sequence: number;
  /** Missing from files of the first programs. */
  readonly gateway_id?: string | null;
  readonly first_sequence?: number;
}

export interface Salvaged {
  readonly readings: number;
  /** Unsent ones that could not be read. */
  readonly lost: number;
}

/** @param now ms since the epoch. @returns null where nothing at all could be read. */
export function salvage(damaged: string, into: Connection, now: number): Salvaged | null {
  let from: Connection | undefined;
  try {
    from = new Database(damaged, { readonly: true, timeout: 0 });
    const old = from;
    return into.transaction(() => copy(old, into, now))();
  } catch {
    quarantineOf(into).add(loss(now, 'nothing of the damaged file could be read'));
    return null;
  } finally {
    from?.close();
  }
}

function copy(from: Connection, into: Connection, now: number): Salvaged {
  const life = from.prepare('SELECT * FROM life').get() as Life;
  const { epoch, settled_sequence, gateway_id = null, first_sequence = 1 } = life;
  copyTables(from, into);
  const add = into.prepare(
    `INSERT INTO readings VALUES (@sequence, @sensor, @region, @observed_at, @interval_s, @in_count, @out_count, @occupancy, @dwell_s,
       @received_at, @flags, @dedupe_key, @dwell_max_s)`,
  );
  const range = from.prepare('SELECT * FROM readings WHERE sequence BETWEEN ? AND ?');
  const newest = newestOf(from);
  const lost: number[] = [];
  let readings = 0;
  const read = (first: number, last: number) => {
    let rows: object[];
    try {
      rows = range.all(first, last) as object[];
    } catch {
      if (first === last) {
        if (first > settled_sequence) lost.push(first);
        return;
      }
      const middle = Math.floor((first + last) / 2);
      read(first, middle);
      read(middle + 1, last);
      return;
    }
    // A file that an older program left has no longest stay.
    for (const row of rows) add.run({ dwell_max_s: null, ...row });
    readings += rows.length;
  };
  // What was delivered as another gateway, perhaps of another store, stays behind.
  const start = Math.max(first_sequence, settled_sequence + 1 - delivered_rows_max);
  for (let first = start; first <= newest; first += rows_at_once) {
    read(first, Math.min(first + rows_at_once - 1, newest));
  }
  // The damaged file may have sent any of them: none is ever added to another.
  if (newest > 0) into.prepare('INSERT INTO offered VALUES (1, ?)').run(newest);
  const waiting = into.prepare('SELECT count(*) FROM readings WHERE sequence > ?').pluck();
  const holes = newest - settled_sequence - (waiting.get(settled_sequence) as number);
  into
    .prepare('UPDATE life SET gateway_id = ?, first_sequence = ?, settled_sequence = ?, merged = ?')
    .run(gateway_id, first_sequence, settled_sequence, Math.max(0, holes));
  into
    .prepare('INSERT OR REPLACE INTO epochs SELECT ?, epoch FROM life')
    .run(Math.max(newest, settled_sequence) + 1);
  if (lost.length > 0) {
    const detail = `readings ${ranges(lost)} of epoch ${epoch} could not be read any more`;
    quarantineOf(into).add(loss(now, detail), lost.length);
  }
  return { readings, lost: lost.length };
}

/** The newest sequence; where the end of the log is gone, what the batches knew of it. */
function newestOf(from: Connection): number {
  for (const sql of [
    'SELECT max(sequence) FROM readings',
    'SELECT max(last_sequence) FROM batches',
    'SELECT settled_sequence FROM life',
  ]) {
    try {
      const newest = from.prepare(sql).pluck().get() as number | null;
      if (newest !== null) return newest;
    } catch {
      // The next one is less exact and stands elsewhere in the file.
    }
  }
  return 0;
}

/** All but readings, batches and frames; also of a file that an older program wrote. */
function copyTables(from: Connection, into: Connection): void {
  if (versionOf(from) < schema_of_epochs) {
    copyTable(from, into, 'epochs', 'first_sequence, epoch', 'SELECT 1, epoch FROM life');
  } else {
    copyTable(from, into, 'epochs', 'first_sequence, epoch');
    copyTable(from, into, 'sums', 'sequence, parts');
  }
  copyTable(from, into, 'words', 'id, word');
  copyTable(from, into, 'undated', 'id, boot_id, uptime_ms, record');
  if (versionOf(from) < schema_of_numbers) {
    const meters = 'SELECT id, state FROM meters JOIN words ON word = sensor_id';
    copyTable(from, into, 'meters', 'sensor, rest', meters);
    const losses = 'SELECT epoch, source, reason, count, last_at FROM quarantine_totals, life';
    copyTable(from, into, 'losses', 'epoch, source, reason, count, last_at', losses);
    return;
  }
  copyTable(from, into, 'meters', meter_columns);
  copyTable(from, into, 'losses', 'epoch, source, reason, count, told, moved, last_at');
}

function versionOf(from: Connection): number {
  return from.pragma('user_version', { simple: true }) as number;
}

/** A small table, row by row as far as it goes. */
function copyTable(
  from: Connection,
  into: Connection,
  table: string,
  columns: string,
  select = `SELECT ${columns} FROM ${table}`,
): void {
  const places = columns.replace(/\w+/g, '?');
  const add = into.prepare(`INSERT OR REPLACE INTO ${table} (${columns}) VALUES (${places})`);
  try {
    for (const row of from.prepare(select).raw().iterate()) {
      add.run(...(row as unknown[]));
    }
  } catch {
    // What follows a damaged page is lost with it; a meter without its state takes a new baseline.
  }
}

/** Losses are those of the process that finds them. */
function quarantineOf(into: Connection): Quarantine {
  const epoch = into.prepare('SELECT epoch FROM life').pluck().get() as string;
  return new Quarantine(into, new Ledger(into, epoch));
}

function loss(now: number, detail: string) {
  const bytes = new Uint8Array();
  return {
    source: 'buffer',
    address: '',
    reason: 'damaged',
    detail: detail.slice(0, 500),
    bytes,
    length: 0,
    received_at: now,
  };
}

/** `4-6, 9`: sequences in order, neighbours together. */
function ranges(sequences: readonly number[]): string {
  const found: { first: number; last: number }[] = [];
  for (const sequence of sequences) {
    const current = found.at(-1);
    if (current !== undefined && current.last === sequence - 1) current.last = sequence;
    else found.push({ first: sequence, last: sequence });
  }
  return found.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(', ');
}
