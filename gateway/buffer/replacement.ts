/**
 * A damaged file is set aside, and another takes its place within a second or two, whatever its size: with
 * meters, words, the ledger and the newest readings, whose keys say which messages were counted. The rest
 * of the log follows while the store counts (`salvage.ts`).
 *
 * The new file is whole before anything is renamed, and says whose place it takes, so a process that is
 * killed in between leaves what the next one finishes.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Identity, openDamaged, openFile, orNull } from './buffer-file.ts';
import { type Range, without } from './range.ts';
import { newestReadable, oldestReadable } from './readable-ends.ts';
import { addLoss, finishFiles } from './salvage.ts';
import { takePiece } from './salvage-piece.ts';
import { copyTables } from './salvage-tables.ts';
import type { Connection } from './schema.ts';
import type { SchemaMove } from './schema-version.ts';
import { fileOf, isPart, partId, SetAsideFiles } from './set-aside.ts';

/** The newest readings, whose keys a restart reads; delivered ones among them are sent once more. */
const newest_rows = 100_000;
const journals = ['-wal', '-shm', ''];

/** What a running process knows of its log. */
export interface KnownLog {
  readonly newest: number;
  /** Readings that HQ has not settled. */
  readonly unsettled: number;
}

/** Sets the file aside, which nobody has open any more, and opens a new one in its place. */
export function replaceDamaged(
  path: string,
  identity: Identity,
  known?: KnownLog,
): { connection: Connection; set_aside: string; schema: SchemaMove } {
  // Never deleted: what it holds and HQ lacks may still be read by a person.
  let set_aside = `${path}.damaged-${identity.now}`;
  while (existsSync(set_aside)) set_aside += '+';
  try {
    discardFresh(path);
    build(path, basename(set_aside), identity, known);
  } catch (error) {
    discardFresh(path);
    throw error;
  }
  swap(path, set_aside);
  return { ...openFile(path, identity), set_aside };
}

/** Ends what a killed process began: a file beside the buffer that is whole takes its place. */
export function finishReplacement(path: string): void {
  if (!existsSync(fresh(path))) return;
  const file = replacedBy(fresh(path));
  if (file === null) discardFresh(path);
  else swap(path, join(dirname(path), file));
}

function fresh(path: string): string {
  return `${path}.new`;
}

function discardFresh(path: string): void {
  for (const journal of journals) rmSync(fresh(path) + journal, { force: true });
}

/** @returns null where the file is not whole. */
function replacedBy(path: string): string | null {
  const connection = orNull(() => openDamaged(path));
  try {
    return connection === null ? null : (SetAsideFiles.in(connection)?.newest ?? null);
  } finally {
    connection?.close();
  }
}

function swap(path: string, set_aside: string): void {
  for (const journal of journals) {
    const isThere = existsSync(path + journal) && !existsSync(set_aside + journal);
    if (isThere) renameSync(path + journal, set_aside + journal);
  }
  for (const journal of journals) {
    if (existsSync(fresh(path) + journal)) renameSync(fresh(path) + journal, path + journal);
  }
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function build(path: string, file: string, identity: Identity, known?: KnownLog): void {
  const { connection: into } = openFile(fresh(path), identity);
  const from = orNull(() => openDamaged(path));
  try {
    into.transaction(() => begin({ from, into, file, known, now: identity.now }))();
  } finally {
    from?.close();
    into.close();
  }
}

interface Replaced {
  readonly from: Connection | null;
  readonly into: Connection;
  readonly file: string;
  readonly known: KnownLog | undefined;
  readonly now: number;
}

function begin({ from, into, file, known, now }: Replaced): void {
  const files = SetAsideFiles.create(into);
  const life = from === null ? null : lifeOf(from);
  if (from === null || life === null) {
    files.add({ file, epoch: '', settled_sequence: 0, merged: null });
    const detail = 'nothing of the damaged file could be read';
    addLoss(into, { count: known?.unsettled ?? 1, detail, now });
    return;
  }
  copyTables(from, into);
  const earlier = earlierParts(from, into, files);
  files.add({ ...life, file });
  const { gateway_id, first_sequence, settled_sequence } = life;
  const last_sequence = lastOf(from, life, known);
  // The damaged file may have sent any of them: none is ever added to another.
  if (last_sequence > 0) into.prepare('INSERT INTO offered VALUES (1, ?)').run(last_sequence);
  const newest_from = Math.max(first_sequence, last_sequence + 1 - newest_rows);
  const newest = { first_sequence: newest_from, last_sequence };
  const words = new Set(into.prepare('SELECT id FROM words').pluck().all());
  let missing = 0;
  for (const piece of without([newest], earlier)) {
    missing += takePiece(from, into, files, { file, piece, words });
  }
  const older = { first_sequence: settled_sequence + 1, last_sequence: newest_from - 1 };
  for (const part of without([older], earlier)) addPart(into, file, part);
  into
    .prepare('UPDATE life SET gateway_id = ?, first_sequence = ?, settled_sequence = ?, merged = ?')
    .run(gateway_id, first_sequence, settled_sequence, missing);
  into
    .prepare('INSERT OR REPLACE INTO epochs SELECT ?, epoch FROM life')
    .run(Math.max(last_sequence, settled_sequence) + 1);
  const left = into.prepare('SELECT batch_id FROM batches').pluck().all() as string[];
  // A file that is done leaves its name until the new one is in its place.
  finishFiles(into, files, [...left.map(fileOf), file], now);
}

interface Life {
  readonly epoch: string;
  readonly gateway_id: string | null;
  readonly first_sequence: number;
  readonly settled_sequence: number;
  /** Sequences beyond that never had a row of their own; null: nobody knows. */
  readonly merged: number | null;
}

/** @returns null where not even the tables are known. */
function lifeOf(from: Connection): Life | null {
  const row = orNull(() => from.prepare('SELECT * FROM life').get() as Partial<Life> | undefined);
  if (row?.epoch !== undefined && row.settled_sequence !== undefined) {
    const { epoch, settled_sequence } = row;
    // Missing from files of the first programs.
    const { gateway_id = null, first_sequence = 1, merged = 0 } = row;
    return { epoch, settled_sequence, gateway_id, first_sequence, merged };
  }
  const first_sequence = orNull(() => oldestReadable(from));
  if (first_sequence === null) return null;
  const settled_sequence = first_sequence - 1;
  return { epoch: '', gateway_id: null, first_sequence, settled_sequence, merged: null };
}

/** The newest sequence that was given out, as far as anybody knows. */
function lastOf(from: Connection, life: Life, known?: KnownLog): number {
  if (known !== undefined) return known.newest;
  const told = ['SELECT max(last_sequence) FROM batches', 'SELECT max(last_sequence) FROM offered'];
  const claimed = told.map((sql) => orNull(() => from.prepare(sql).pluck().get() as number) ?? 0);
  return newestReadable(from, Math.max(life.settled_sequence, ...claimed));
}

/** What the damaged file itself had still to take out of others. */
function earlierParts(from: Connection, into: Connection, files: SetAsideFiles): Range[] {
  const earlier = orNull(() => SetAsideFiles.in(from)?.list() ?? []) ?? [];
  for (const each of earlier) files.add(each, each);
  const batches = 'SELECT * FROM batches ORDER BY first_sequence';
  const claims = orNull(() => from.prepare(batches).all()) ?? [];
  const parts = (claims as (Range & { batch_id: string })[]).filter(isPart);
  for (const part of parts) {
    const file = fileOf(part.batch_id);
    const isKnown = files.list().some((each) => each.file === file);
    if (!isKnown) files.add({ file, epoch: '', settled_sequence: 0, merged: null });
    addPart(into, file, part);
  }
  return parts;
}

function addPart(into: Connection, file: string, part: Range): void {
  const { first_sequence, last_sequence } = part;
  into
    .prepare(
      `INSERT INTO batches (batch_id, first_sequence, last_sequence, is_settled, holes)
       VALUES (?, ?, ?, 0, 0)`,
    )
    .run(partId(file, first_sequence), first_sequence, last_sequence);
}
