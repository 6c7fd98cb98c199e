/**
 * How much of what was acknowledged did not become a count: totals by epoch, source and reason, which
 * reach HQ with each heartbeat. Synchronous; runs in the writer thread.
 *
 * HQ keeps the highest total that it was told of an epoch. Each process counts in its own, so what an
 * old image of the disk knows of the others is never more than HQ was told.
 */
import type { Statement } from 'better-sqlite3';
import type { EpochTotal, QuarantineTotal } from './entry.ts';
import type { Connection } from './schema.ts';

export class Ledger {
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #epoch: string;

  /** @param epoch the process's own. */
  constructor(connection: Connection, epoch: string) {
    this.#statements = prepareAll(connection);
    this.#epoch = epoch;
  }

  /**
   * @param at ms since the epoch.
   * @param epoch that of the reading which was refused, where HQ refuses it to each life that sends it.
   */
  add(source: string, reason: string, count: number, at: number, epoch = this.#epoch): void {
    this.#statements.add.run(epoch, source, reason, count, at);
  }

  /** Of all epochs together. */
  totals(): QuarantineTotal[] {
    return this.#statements.totals.all() as QuarantineTotal[];
  }

  /** What HQ is to know from the present gateway; first what it was not told, what changed last before the rest. */
  report(): EpochTotal[] {
    return this.#statements.report.all() as EpochTotal[];
  }

  /** HQ has answered to a report. */
  answered(told: readonly EpochTotal[]): void {
    for (const total of told) this.#statements.told.run(total);
  }

  /** What HQ heard from another gateway is not told again by the one that delivers now. */
  changeOwner(): void {
    this.#statements.leaveTold.run();
  }
}

function prepareAll(connection: Connection) {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    add: prepare(
      `INSERT INTO losses (epoch, source, reason, count, last_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`,
    ),
    totals: prepare(
      `SELECT source, reason, sum(count) AS count, max(last_at) AS last_at FROM losses
       GROUP BY source, reason ORDER BY source, reason`,
    ),
    report: prepare(
      `SELECT epoch, source, reason, count - moved AS count FROM losses
       WHERE count > moved ORDER BY count <= told, last_at DESC, epoch, source, reason`,
    ),
    told: prepare(
      `UPDATE losses SET told = moved + @count
       WHERE epoch = @epoch AND source = @source AND reason = @reason AND told < moved + @count`,
    ),
    leaveTold: prepare('UPDATE losses SET moved = told WHERE moved <> told'),
  };
}
