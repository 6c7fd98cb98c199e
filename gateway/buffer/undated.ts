/**
 * What came before the clock was set, in the order of its coming, until it has a time. A store whose clock
 * is never set must not fill its disk with it: beyond a limit the oldest goes, and the ledger says so.
 */
import type { Statement } from 'better-sqlite3';
import type { UndatedRecord, UndatedRow } from './entry.ts';
import type { Connection } from './schema.ts';

/** A boot of the machine from which undated records are left. */
export interface UndatedBoot {
  readonly boot_id: string;
  /** When the last of them came, ms since that boot. */
  readonly last_uptime_ms: number;
}

/** Three days of minute counts of fifty doors. */
const undated_bytes_max = 64 * 1024 * 1024;
/** Of a row, beside its record. */
const row_bytes = 60;
const rows_at_once = 100;

export class Undated {
  readonly #add: Statement<unknown[]>;
  readonly #remove: Statement<unknown[]>;
  readonly #sums: Statement<unknown[]>;
  readonly #boots: Statement<unknown[]>;
  readonly #oldest: Statement<unknown[]>;
  readonly #giveUp: (row: UndatedRow) => void;
  readonly #bytes_max: number;
  #rows = 0;
  #bytes = 0;

  /** @param giveUp writes into the ledger what is kept no longer, inside the transaction. */
  constructor(
    connection: Connection,
    giveUp: (row: UndatedRow) => void,
    bytes_max = undated_bytes_max,
  ) {
    this.#giveUp = giveUp;
    this.#bytes_max = bytes_max;
    const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
    this.#add = prepare('INSERT INTO undated (boot_id, uptime_ms, record) VALUES (?, ?, ?)');
    this.#remove = prepare('DELETE FROM undated WHERE id = ? RETURNING length(record) AS length');
    this.#sums = prepare(
      `SELECT count(*) AS rows, coalesce(sum(length(record) + ${row_bytes}), 0) AS bytes FROM undated`,
    );
    this.#boots = prepare(
      `SELECT boot_id, max(uptime_ms) AS last_uptime_ms FROM undated
       GROUP BY boot_id ORDER BY min(id)`,
    );
    this.#oldest = prepare('SELECT * FROM undated ORDER BY id LIMIT ?');
    this.reload();
  }

  /** Keeps what came, and removes what has a time now. */
  change(group: {
    readonly undated: readonly UndatedRecord[];
    readonly dated: readonly number[];
  }): void {
    for (const { boot_id, uptime_ms, record } of group.undated) {
      this.#add.run(boot_id, uptime_ms, record);
      this.#rows += 1;
      this.#bytes += record.length + row_bytes;
    }
    for (const id of group.dated) this.#drop(id);
    while (this.#bytes > this.#bytes_max) {
      for (const row of this.oldest(rows_at_once)) {
        if (this.#bytes <= this.#bytes_max) break;
        this.#giveUp(row);
        this.#drop(row.id);
      }
    }
  }

  /** Takes what is on disk for true: at start, and after a transaction that failed. */
  reload(): void {
    const { rows, bytes } = this.#sums.get() as { rows: number; bytes: number };
    this.#rows = rows;
    this.#bytes = bytes;
  }

  count(): number {
    return this.#rows;
  }

  #drop(id: number): void {
    const dropped = this.#remove.get(id) as { length: number } | undefined;
    if (dropped === undefined) return;
    this.#rows -= 1;
    this.#bytes -= dropped.length + row_bytes;
  }

  /** Oldest first. */
  boots(): UndatedBoot[] {
    return this.#boots.all() as UndatedBoot[];
  }

  oldest(limit: number): UndatedRow[] {
    return this.#oldest.all(limit) as UndatedRow[];
  }
}
