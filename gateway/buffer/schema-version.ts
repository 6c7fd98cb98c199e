/**
 * Takes a buffer file to the schema that a program knows: from an older one by the steps it lacks, and
 * from a newer one by the ways back that the newer program left in the file. So a package can be put
 * back to the version before while readings wait, without the newer program and without a command.
 */
import type Database from 'better-sqlite3';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { type SchemaStep, schemaSteps } from './schema-steps.ts';

type Connection = Database.Database;

/** From which version to which a file was brought; the same: it was as it had to be. 0: a new file. */
export interface SchemaMove {
  readonly from: number;
  readonly to: number;
}

/** Not one of the steps: programs of every version must find it the same. */
const ways_back = `
CREATE TABLE IF NOT EXISTS ways_back (version INTEGER PRIMARY KEY, sql TEXT NOT NULL) STRICT`;

/**
 * All of it in one transaction: a file is never between two versions.
 *
 * @param identity what a new file is called.
 * @param known the steps of this program.
 * @throws FootbridgeError buffer_newer where the file does not say how to go back.
 */
export function toKnownSchema(
  connection: Connection,
  identity: { epoch: string; now: number },
  known: readonly SchemaStep[] = schemaSteps,
): SchemaMove {
  const found = versionOf(connection);
  const missing = missingWayBack(connection, known.length);
  if (missing !== null) throw new FootbridgeError('buffer_newer', missing);
  const move = { from: found, to: known.length };
  if (found === known.length && isUpToDate(connection, known)) return move;
  connection.transaction(() => {
    for (let version = found; version > known.length; version -= 1) goBack(connection, version);
    for (const { up } of known.slice(found)) connection.exec(up);
    connection
      .prepare(
        'INSERT OR IGNORE INTO life (id, epoch, created_at, settled_sequence) VALUES (1, ?, ?, 0)',
      )
      .run(identity.epoch, identity.now);
    keepWaysBack(connection, known);
    connection.pragma(`user_version = ${known.length}`);
  })();
  return move;
}

/** Why a program with so many steps cannot read the file, or null; never writes. */
export function missingWayBack(connection: Connection, known = schemaSteps.length): string | null {
  const found = versionOf(connection);
  for (let version = found; version > known; version -= 1) {
    if (wayBack(connection, version) === undefined) {
      return `schema ${found}, this program knows ${known}, and the file does not say how to go back from ${version}`;
    }
  }
  return null;
}

function versionOf(connection: Connection): number {
  return connection.pragma('user_version', { simple: true }) as number;
}

function goBack(connection: Connection, version: number): void {
  try {
    connection.exec(wayBack(connection, version) ?? '');
  } catch (error) {
    const text = `the way back from schema ${version} failed: ${errorText(error)}`;
    throw new FootbridgeError('buffer_newer', text, { cause: error });
  }
}

function wayBack(connection: Connection, version: number): string | undefined {
  if (!hasWaysBack(connection)) return undefined;
  const read = connection.prepare('SELECT sql FROM ways_back WHERE version = ?').pluck();
  return read.get(version) as string | undefined;
}

function hasWaysBack(connection: Connection): boolean {
  const named = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'ways_back'";
  return connection.prepare(named).pluck().get() === 1;
}

/** A newer program may know a better way back than the one that took the step. */
function isUpToDate(connection: Connection, known: readonly SchemaStep[]): boolean {
  return known.every(({ down }, at) => at === 0 || wayBack(connection, at + 1) === down);
}

function keepWaysBack(connection: Connection, known: readonly SchemaStep[]): void {
  connection.exec(ways_back);
  connection.exec('DELETE FROM ways_back');
  const keep = connection.prepare('INSERT INTO ways_back VALUES (?, ?)');
  // Nothing is older than the first step.
  for (const [at, { down }] of known.entries()) if (at > 0) keep.run(at + 1, down);
}
