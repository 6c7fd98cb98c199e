/** What came before the clock was set, in the order of its coming, until it has a time. */
import type { Statement } from 'better-sqlite3';
import type { UndatedRecord, UndatedRow } from './entry.ts';
import type { Connection } from './schema.ts';

/** A boot of the machine from which undated records are left. */
export interface UndatedBoot {
  readonly boot_id: string;
  /** When the last of them came, ms since that boot. */
  readonly last_uptime_ms: number;
}

export class Undated {
  readonly #add: Statement<unknown[]>;
  readonly #remove: Statement<unknown[]>;
  readonly #count: Statement<unknown[]>;
  readonly #boots: Statement<unknown[]>;
  readonly #oldest: Statement<unknown[]>;

  constructor(connection: Connection) {
    const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
    this.#add = prepare('INSERT INTO undated (boot_id, uptime_ms, record) VALUES (?, ?, ?)');
    this.#remove = prepare('DELETE FROM undated WHERE id = ?');
    this.#count = prepare('SELECT count(*) FROM undated').pluck();
    this.#boots = prepare(
      `SELECT boot_id, max(uptime_ms) AS last_uptime_ms FROM undated
       GROUP BY boot_id ORDER BY min(id)`,
    );
    this.#oldest = prepare('SELECT * FROM undated ORDER BY id LIMIT ?');
  }

  /** Keeps what came, and removes what has a time now. */
  change(group: {
    readonly undated: readonly UndatedRecord[];
    readonly dated: readonly number[];
  }): void {
    for (const { boot_id, uptime_ms, record } of group.undated) {
      this.#add.run(boot_id, uptime_ms, record);
    }
    for (const id of group.dated) this.#remove.run(id);
  }

  count(): number {
    return this.#count.get() as number;
  }

  /** Oldest first. */
  boots(): UndatedBoot[] {
    return this.#boots.all() as UndatedBoot[];
  }

  oldest(limit: number): UndatedRow[] {
    return this.#oldest.all(limit) as UndatedRow[];
  }
}
