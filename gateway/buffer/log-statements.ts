/** What the log itself asks of its readings. */
import type { Statement } from 'better-sqlite3';
import type { Connection } from './schema.ts';

type Name = 'readRange' | 'oldestKept' | 'delete' | 'oldest' | 'owner';

export function logStatements(
  connection: Connection,
): Readonly<Record<Name, Statement<unknown[]>>> {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    readRange: prepare('SELECT * FROM readings WHERE sequence BETWEEN ? AND ? ORDER BY sequence'),
    oldestKept: prepare('SELECT min(sequence) AS sequence FROM readings'),
    /** As whom readings are delivered, or were last. */
    owner: connection.prepare('SELECT gateway_id FROM life').pluck(),
    delete: prepare('DELETE FROM readings WHERE sequence = ?'),
    oldest: prepare(
      'SELECT observed_at, received_at FROM readings WHERE sequence >= ? ORDER BY sequence LIMIT 1',
    ),
  };
}
