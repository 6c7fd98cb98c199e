/** How the buffer file is opened for the daemon and for a look, and replaced if it is damaged. */
import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { errorText } from '../../shared/runtime/errors.ts';
import { damage, explain, type Identity, isDamaged, openFile } from './buffer-file.ts';
import { mendJournal } from './journal.ts';
import { finishReplacement, replaceDamaged } from './replacement.ts';
import { missingWayBack, type SchemaMove } from './schema-version.ts';

export type Connection = Database.Database;

/** Reading all of a file of this size takes some tenths of a second; damage in it shows at once. */
const checked_bytes_max = 32 * 1024 * 1024;

/**
 * Opens or creates the buffer for the one process that writes it. A damaged file is set aside, and a
 * new one takes its place: the store must go on counting.
 *
 * @throws FootbridgeError already_running, buffer_newer, buffer_not_durable, buffer_write_failed
 */
export function openBuffer(
  path: string,
  identity: Identity,
): { connection: Connection; set_aside: string | null; schema: SchemaMove } {
  try {
    finishReplacement(path);
    if (mendJournal(path, identity.now)) return replaceDamaged(path, identity);
    const { connection, schema } = openFile(path, identity);
    if (statSync(path).size <= checked_bytes_max) assertSound(connection);
    return { connection, set_aside: null, schema };
  } catch (error) {
    if (!isDamaged(error)) throw explain(error, path);
    return replaceDamaged(path, identity);
  }
}

/** @throws an error that {@link isDamaged} knows. */
function assertSound(connection: Connection): void {
  const found = connection.pragma('quick_check(1)', { simple: true });
  if (found === 'ok') return;
  connection.close();
  throw damage(String(found));
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
