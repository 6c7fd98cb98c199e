/**
 * The buffer file's schema and how it is opened.
 *
 * `readings` is an append-only log whose rowid is the sequence. It has no secondary index: with one
 * on (sensor, time), 50 rows a commit wrote 4,853 bytes each instead of 279 (measured on ext4), and
 * store hardware lives on SD cards.
 */
import { existsSync, renameSync } from 'node:fs';
import Database from 'better-sqlite3';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

export type Connection = Database.Database;

const schema_version = 2;

const schema = `
CREATE TABLE life (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  settled_sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE readings (
  sequence INTEGER PRIMARY KEY,
  sensor INTEGER NOT NULL,
  region INTEGER,
  observed_at INTEGER NOT NULL,
  interval_s REAL NOT NULL,
  in_count INTEGER,
  out_count INTEGER,
  occupancy INTEGER,
  dwell_s REAL,
  received_at INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  dedupe_key TEXT
) STRICT;
CREATE TABLE meters (sensor_id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
  batch_id TEXT PRIMARY KEY,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  length INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TABLE quarantine_totals (
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (source, reason)
) STRICT, WITHOUT ROWID;
`;

/**
 * Opens or creates the buffer for the one process that writes it. A damaged file is set aside and a
 * new one, with a new epoch, takes its place: the store must go on counting.
 *
 * @throws FootbridgeError already_running, buffer_newer, buffer_not_durable, buffer_write_failed
 */
export function openBuffer(
  path: string,
  identity: { epoch: string; now: number },
): { connection: Connection; set_aside: string | null } {
  try {
    return { connection: open(path, identity), set_aside: null };
  } catch (error) {
    if (!isDamaged(error)) throw explain(error, path);
    // Never deleted: what it holds and HQ lacks may still be read by a person.
    const set_aside = `${path}.damaged-${identity.now}`;
    renameSync(path, set_aside);
    for (const journal of ['-wal', '-shm']) {
      if (existsSync(path + journal)) renameSync(path + journal, set_aside + journal);
    }
    return { connection: open(path, identity), set_aside };
  }
}

function open(path: string, identity: { epoch: string; now: number }): Connection {
  let connection: Connection | undefined;
  try {
    connection = new Database(path, { timeout: 0 });
    // Held for the life of the process: two daemons on one buffer would count everything twice.
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.pragma('journal_mode = WAL');
    // better-sqlite3 builds SQLite with NORMAL as the WAL default, which skips the fsync that an
    // acknowledgement promises: 100 commits made 8 fsyncs, with FULL 109.
    connection.pragma('synchronous = FULL');
    connection.pragma('journal_size_limit = 67108864');
    // A damaged page is found by reading it: the log's both ends and every meter are read at start.
    migrate(connection, identity);
    assertDurable(connection);
    return connection;
  } catch (error) {
    connection?.close();
    throw error;
  }
}

/** A second look at a buffer whose daemon is not running; never writes. */
export function openBufferForReading(path: string): Connection {
  try {
    return new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  } catch (error) {
    throw explain(error, path);
  }
}

function migrate(connection: Connection, identity: { epoch: string; now: number }): void {
  const found = connection.pragma('user_version', { simple: true }) as number;
  if (found > schema_version) {
    throw new FootbridgeError(
      'buffer_newer',
      `schema ${found}, this program knows ${schema_version}`,
    );
  }
  if (found === schema_version) return;
  connection.transaction(() => {
    connection.exec(schema);
    connection.prepare('INSERT INTO life VALUES (1, ?, ?, 0)').run(identity.epoch, identity.now);
    connection.pragma(`user_version = ${schema_version}`);
  })();
}

function assertDurable(connection: Connection): void {
  const journal = connection.pragma('journal_mode', { simple: true });
  const synchronous = connection.pragma('synchronous', { simple: true });
  if (journal !== 'wal' || synchronous !== 2) {
    const seen = `journal_mode ${String(journal)}, synchronous ${String(synchronous)}`;
    throw new FootbridgeError('buffer_not_durable', `${seen}; needed are wal and 2 (FULL)`);
  }
}

function isDamaged(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test((error as { code?: string }).code ?? '');
}

function explain(error: unknown, path: string): unknown {
  if (error instanceof FootbridgeError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code.startsWith('SQLITE_BUSY')) return new FootbridgeError('already_running', path);
  return new FootbridgeError('buffer_write_failed', `${path}: ${errorText(error)}`, {
    cause: error,
  });
}
