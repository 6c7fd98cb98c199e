/** What delivery asks of the log, and keeps in it. */
import type { Statement } from 'better-sqlite3';
import type { Connection } from './schema.ts';

type Name =
  | 'life'
  | 'claims'
  | 'claim'
  | 'rowAfter'
  | 'rowsIn'
  | 'saveHoles'
  | 'dropClaims'
  | 'saveSettled'
  | 'saveOwner';

export function deliveryStatements(
  connection: Connection,
): Readonly<Record<Name, Statement<unknown[]>>> {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    life: prepare('SELECT * FROM life'),
    claims: prepare('SELECT * FROM batches ORDER BY first_sequence'),
    claim: prepare('INSERT INTO batches VALUES (?, ?, ?, ?, ?)'),
    rowAfter: connection
      .prepare(
        'SELECT sequence FROM readings WHERE sequence >= ? ORDER BY sequence LIMIT 1 OFFSET ?',
      )
      .pluck(),
    rowsIn: connection
      .prepare('SELECT count(*) FROM readings WHERE sequence BETWEEN ? AND ?')
      .pluck(),
    saveHoles: prepare('UPDATE life SET merged = ?'),
    dropClaims: prepare('DELETE FROM batches'),
    saveSettled: prepare('UPDATE life SET settled_sequence = ?'),
    saveOwner: prepare('UPDATE life SET gateway_id = ?, first_sequence = ?'),
  };
}
