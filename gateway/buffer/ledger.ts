/**
 * How much of what was acknowledged did not become a count: totals by epoch, source and reason, which
 * reach HQ with each heartbeat. Synchronous; runs in the writer thread.
 *
 * HQ keeps the highest total that it was told of an epoch. So each loss is counted in one epoch only,
 * also where a buffer is salvaged into a new one, or an old image of the disk is put back: then what
 * came after that moment moves to the new epoch, and the rest is what HQ knows already.
 */
import type { Statement } from 'better-sqlite3';
import type { EpochTotal, QuarantineTotal } from './entry.ts';
import type { Connection } from './schema.ts';

export class Ledger {
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #epoch: () => string;

  /** @param epoch the present one. */
  constructor(connection: Connection, epoch: () => string) {
    this.#statements = prepareAll(connection);
    this.#epoch = epoch;
  }

  /** @param at ms since the epoch. */
  add(source: string, reason: string, count: number, at: number): void {
    this.#statements.add.run(this.#epoch(), source, reason, count, at);
  }

  /** Of all epochs together. */
  totals(): QuarantineTotal[] {
    return this.#statements.totals.all() as QuarantineTotal[];
  }

  /**
   * What HQ is to know from the present gateway; what changed last comes first. After a start, news
   * waits for HQ's first answer: told as this epoch's, it would add to what another life has told.
   */
  report(): EpochTotal[] {
    return this.#statements.report.all() as EpochTotal[];
  }

  /**
   * A process begins. If its disk is an old image, the file has not heard of HQ since, and the first
   * such start is the moment after which losses are news. Run inside a transaction.
   */
  begin(): void {
    if (this.#statements.isMarked.get() === 1) return;
    this.#statements.mark.run();
    this.#statements.setMarked.run({ is: 1 });
  }

  /** HQ has answered to a report, and this file is no older than what HQ knows. */
  answered(told: readonly EpochTotal[]): void {
    for (const total of told) this.#statements.told.run(total);
    this.#statements.mark.run();
    this.#statements.setMarked.run({ is: 0 });
  }

  /** Another life begins. What the other one, whose image this was, told HQ stays where it stands. */
  moveTo(epoch: string): void {
    this.#statements.moveNews.run(epoch, this.#epoch());
    this.#statements.leaveNews.run(this.#epoch());
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
      `SELECT epoch, source, reason, known - moved AS count FROM
         (SELECT *, iif((SELECT is_ledger_marked FROM life), marked, count) AS known FROM losses)
       WHERE known > moved ORDER BY last_at DESC, epoch, source, reason`,
    ),
    isMarked: prepare('SELECT is_ledger_marked FROM life').pluck(),
    setMarked: prepare('UPDATE life SET is_ledger_marked = @is WHERE is_ledger_marked <> @is'),
    mark: prepare('UPDATE losses SET marked = count WHERE marked <> count'),
    told: prepare(
      `UPDATE losses SET told = moved + @count
       WHERE epoch = @epoch AND source = @source AND reason = @reason AND told < moved + @count`,
    ),
    moveNews: prepare(
      `INSERT INTO losses (epoch, source, reason, count, last_at)
       SELECT ?, source, reason, count - marked, last_at FROM losses
       WHERE epoch = ? AND count > marked`,
    ),
    leaveNews: prepare('UPDATE losses SET count = marked WHERE epoch = ? AND count > marked'),
    leaveTold: prepare('UPDATE losses SET moved = told WHERE moved <> told'),
  };
}
