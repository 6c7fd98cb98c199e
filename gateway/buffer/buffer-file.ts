/** How a buffer file is opened: durable, for one process, at the schema of this program. */
import Database from 'better-sqlite3';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Connection } from './schema.ts';
import { type SchemaMove, toKnownSchema } from './schema-version.ts';

/** What a new file is called, and when it is made (ms since the epoch). */
export interface Identity {
  readonly epoch: string;
  readonly now: number;
}

/**
 * A commit writes whole pages. Of fifty readings a second each cost the flash 700 bytes with pages of
 * 4 KiB. A file keeps the size it was made with.
 */
const page_bytes = 1024;
/** The log is read and written in order, so more would be read once and held for ever. */
const cache_kib = 2048;
/** A page that many commits change goes to its place once for so much of the journal. */
const journal_bytes = 4 * 1024 * 1024;
/** Kept of a journal that a large change has made longer. */
const journal_bytes_max = 16 * 1024 * 1024;

/** Creates the file where there is none. @throws what SQLite says, FootbridgeError buffer_newer … */
export function openFile(
  path: string,
  identity: Identity,
): { connection: Connection; schema: SchemaMove } {
  let connection: Connection | undefined;
  try {
    connection = new Database(path, { timeout: 0 });
    connection.pragma(`page_size = ${page_bytes}`);
    connection.pragma(`cache_size = -${cache_kib}`);
    // Held for the life of the process: two daemons on one buffer would count everything twice.
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.pragma('journal_mode = WAL');
    // better-sqlite3 builds SQLite with NORMAL as the WAL default, which skips the fsync that an
    // acknowledgement promises: 100 commits made 8 fsyncs, with FULL 109.
    connection.pragma('synchronous = FULL');
    const written_bytes = connection.pragma('page_size', { simple: true }) as number;
    connection.pragma(`wal_autocheckpoint = ${Math.ceil(journal_bytes / written_bytes)}`);
    connection.pragma(`journal_size_limit = ${journal_bytes_max}`);
    const schema = toKnownSchema(connection, identity);
    // Each process appends under an epoch of its own, see epochs.ts.
    connection.prepare('UPDATE life SET epoch = ?').run(identity.epoch);
    assertDurable(connection);
    return { connection, schema };
  } catch (error) {
    connection?.close();
    throw error;
  }
}

/** A file that is set aside, as far as it goes; never writes. @throws what SQLite says */
export function openDamaged(path: string): Connection {
  const connection = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  // Of a file that ends too early SQLite reads nothing, unless somebody says that it is being repaired.
  connection.unsafeMode(true);
  connection.pragma('writable_schema = ON');
  connection.pragma(`cache_size = -${cache_kib}`);
  return connection;
}

/** Whether another process has the file open, which may be writing its journal. */
export function isInUse(path: string): boolean {
  const connection = new Database(path, { readonly: true, timeout: 0 });
  try {
    connection.prepare('SELECT 1 FROM sqlite_schema').get();
    return false;
  } catch (error) {
    return codeOf(error).startsWith('SQLITE_BUSY');
  } finally {
    connection.close();
  }
}

/** Whether SQLite found pages that cannot be what was written, or the disk does not give them back. */
export function isDamaged(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|IOERR_(SHORT_)?READ)/.test(codeOf(error));
}

/** @returns null where damage keeps it from being read. @throws whatever else happens */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isDamaged(error)) return null;
    throw error;
  }
}

/** What {@link isDamaged} knows. */
export function damage(detail: string): Error {
  return Object.assign(new Error(detail), { code: 'SQLITE_CORRUPT' });
}

export function explain(error: unknown, path: string): unknown {
  if (error instanceof FootbridgeError) return error;
  if (codeOf(error).startsWith('SQLITE_BUSY')) return new FootbridgeError('already_running', path);
  return new FootbridgeError('buffer_write_failed', `${path}: ${errorText(error)}`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? '';
}

function assertDurable(connection: Connection): void {
  const journal = connection.pragma('journal_mode', { simple: true });
  const synchronous = connection.pragma('synchronous', { simple: true });
  if (journal !== 'wal' || synchronous !== 2) {
    const seen = `journal_mode ${String(journal)}, synchronous ${String(synchronous)}`;
    throw new FootbridgeError('buffer_not_durable', `${seen}; needed are wal and 2 (FULL)`);
  }
}
