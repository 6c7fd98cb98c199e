/** What a damaged file holds beside its log goes into the one that takes its place, as far as it can be read. */
import type { Connection } from './schema.ts';

const meter_columns = 'sensor, device, start_second, since, numbers, rest';
/** The first whose meters are numbers and whose losses belong to an epoch. */
const schema_of_numbers = 8;
/** The first that knows which process appended what. */
const schema_of_epochs = 9;
/** No file has so many words: new ones must not get the number of one that is gone. */
const word_ids_lost = 1_000_000;

/** All but readings, batches and frames; also of a file that an older program wrote. */
export function copyTables(from: Connection, into: Connection): void {
  if (versionOf(from) < schema_of_epochs) {
    copyTable(from, into, 'epochs', 'first_sequence, epoch', 'SELECT 1, epoch FROM life');
  } else {
    copyTable(from, into, 'epochs', 'first_sequence, epoch');
    copyTable(from, into, 'sums', 'sequence, parts');
    copyTable(from, into, 'held', 'id, readings');
  }
  copyWords(from, into);
  copyTable(from, into, 'undated', 'id, boot_id, uptime_ms, record');
  if (versionOf(from) < schema_of_numbers) {
    const meters = 'SELECT id, state FROM meters JOIN words ON word = sensor_id';
    copyTable(from, into, 'meters', 'sensor, rest', meters);
    const losses = 'SELECT epoch, source, reason, count, last_at FROM quarantine_totals, life';
    copyTable(from, into, 'losses', 'epoch, source, reason, count, last_at', losses);
    return;
  }
  copyTable(from, into, 'meters', meter_columns);
  // A meter of a sensor without a name is nobody's.
  into.exec('DELETE FROM meters WHERE sensor NOT IN (SELECT id FROM words)');
  copyTable(from, into, 'losses', 'epoch, source, reason, count, told, moved, last_at');
}

function versionOf(from: Connection): number {
  return from.pragma('user_version', { simple: true }) as number;
}

/** Words stand twice in a file: in their table, and in its index. */
function copyWords(from: Connection, into: Connection): void {
  const isWhole = copyTable(from, into, 'words', 'id, word');
  if (isWhole) return;
  const index = 'SELECT id, word FROM words INDEXED BY sqlite_autoindex_words_1 ORDER BY word';
  if (copyTable(from, into, 'words', 'id, word', index)) return;
  const backwards = copyTable(from, into, 'words', 'id, word', `${index} DESC`);
  if (!backwards) {
    const gone = '(words of a damaged file end here)';
    into.prepare('INSERT OR IGNORE INTO words VALUES (?, ?)').run(word_ids_lost, gone);
  }
}

/** A small table, row by row as far as it goes. @returns whether all of it could be read. */
function copyTable(
  from: Connection,
  into: Connection,
  table: string,
  columns: string,
  select = `SELECT ${columns} FROM ${table} NOT INDEXED`,
): boolean {
  const places = columns.replace(/\w+/g, '?');
  const add = into.prepare(`INSERT OR REPLACE INTO ${table} (${columns}) VALUES (${places})`);
  try {
    for (const row of from.prepare(select).raw().iterate()) {
      add.run(...(row as unknown[]));
    }
    return true;
  } catch {
    // What follows a damaged page is lost with it; a meter without its state takes a new baseline.
    return false;
  }
}
