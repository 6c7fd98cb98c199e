/** How the buffer file is opened, brought to the schema of this program, and set aside if damaged. */
import { existsSync, renameSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { salvage } from './salvage.ts';
import { missingWayBack, type SchemaMove, toKnownSchema } from './schema-version.ts';

export type Connection = Database.Database;

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

/** Reading all of a file of this size takes some tenths of a second; damage in it shows at once. */
const checked_bytes_max = 32 * 1024 * 1024;

/**
 * Opens or creates the buffer for the one process that writes it. A damaged file is set aside, and a
 * new one takes its place with all that could be read of it: the store must go on counting.
 *
 * @throws FootbridgeError already_running, buffer_newer, buffer_not_durable, buffer_write_failed
 */
export function openBuffer(
  path: string,
  identity: { epoch: string; now: number },
): { connection: Connection; set_aside: string | null; schema: SchemaMove } {
  try {
    const { connection, schema } = open(path, identity);
    if (size(path) <= checked_bytes_max) assertSound(connection);
    return { connection, set_aside: null, schema };
  } catch (error) {
    if (!isDamaged(error)) throw explain(error, path);
    return replaceDamaged(path, identity);
  }
}

/** Sets the file aside, which nobody has open any more, and opens a new one in its place. */
export function replaceDamaged(
  path: string,
  identity: { epoch: string; now: number },
): { connection: Connection; set_aside: string; schema: SchemaMove } {
  // Never deleted: what it holds and HQ lacks may still be read by a person.
  let set_aside = `${path}.damaged-${identity.now}`;
  while (existsSync(set_aside)) set_aside += '+';
  renameSync(path, set_aside);
  for (const journal of ['-wal', '-shm']) {
    if (existsSync(path + journal)) renameSync(path + journal, set_aside + journal);
  }
  const { connection, schema } = open(path, identity);
  salvage(set_aside, connection, identity.now);
  return { connection, set_aside, schema };
}

/** @throws an error that {@link isDamaged} knows. */
function assertSound(connection: Connection): void {
  const found = connection.pragma('quick_check(1)', { simple: true });
  if (found === 'ok') return;
  connection.close();
  throw Object.assign(new Error(String(found)), { code: 'SQLITE_CORRUPT' });
}

function size(path: string): number {
  return statSync(path).size;
}

function open(
  path: string,
  identity: { epoch: string; now: number },
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

/** A second look at a buffer whose daemon is not running; never writes. */
export function openBufferForReading(path: string): Connection {
  try {
    return new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  } catch (error) {
    throw explain(error, path);
  }
}

/** Why the daemon would not take the file as it is, or null; never writes, and reads all of it. */
export function bufferFault(path: string): { kind: 'newer' | 'damaged'; detail: string } | null {
  let connection: Connection | undefined;
  try {
    connection = openBufferForReading(path);
    const missing = missingWayBack(connection);
    if (missing !== null) return { kind: 'newer', detail: missing };
    const checked = connection.pragma('quick_check(1)', { simple: true });
    return checked === 'ok' ? null : { kind: 'damaged', detail: String(checked) };
  } catch (error) {
    return isDamaged(error) ? { kind: 'damaged', detail: `${path}: ${errorText(error)}` } : null;
  } finally {
    connection?.close();
  }
}

function assertDurable(connection: Connection): void {
  const journal = connection.pragma('journal_mode', { simple: true });
  const synchronous = connection.pragma('synchronous', { simple: true });
  if (journal !== 'wal' || synchronous !== 2) {
    const seen = `journal_mode ${String(journal)}, synchronous ${String(synchronous)}`;
    throw new FootbridgeError('buffer_not_durable', `${seen}; needed are wal and 2 (FULL)`);
  }
}

/** Whether SQLite found pages that cannot be what was written. */
export function isDamaged(error: unknown): boolean {
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
