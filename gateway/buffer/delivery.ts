/**
 * Which readings are on their way to HQ and which are settled. Synchronous; runs in the writer
 * thread.
 *
 * A batch claims a range of the log. The live lane claims the newest readings, so that HQ sees the
 * present first; the backlog lane claims the oldest, several batches at once. A settled range stays
 * until everything before it is settled too, then the mark moves over it.
 */
import type { Statement } from 'better-sqlite3';
import { type BatchBody, batchBodies } from './batch-body.ts';
import type { Lane, PendingBatch } from './entry.ts';
import type { Connection } from './schema.ts';

/** When more than a batch waits, the live lane takes only this much of it: it has to be quick. */
const live_rows_max = 500;

interface Claim {
  readonly batch_id: string;
  readonly first_sequence: number;
  readonly last_sequence: number;
  readonly is_settled: boolean;
}

interface Range {
  readonly first_sequence: number;
  readonly last_sequence: number;
}

export interface OutgoingBatch extends BatchBody {
  readonly batch: PendingBatch;
}

export class Delivery {
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #body: (batch: PendingBatch) => BatchBody;
  #epoch = '';
  #settled_sequence = 0;
  #gateway_id: string | null = null;
  #first_sequence = 1;
  /** Ordered by sequence; they never overlap. */
  #claims: Claim[] = [];

  constructor(connection: Connection) {
    this.#statements = prepareAll(connection);
    this.#body = batchBodies(connection);
    this.reload();
  }

  /** Takes what is on disk for true: at start, and after a transaction that failed. */
  reload(): void {
    const life = this.#statements.life.get() as {
      epoch: string;
      settled_sequence: number;
      gateway_id: string | null;
      first_sequence: number;
    };
    this.#epoch = life.epoch;
    this.#gateway_id = life.gateway_id;
    this.#first_sequence = life.first_sequence;
    this.#settled_sequence = life.settled_sequence;
    this.#claims = this.#statements.claims.all().map((row) => {
      const { is_settled, ...claim } = row as Omit<Claim, 'is_settled'> & { is_settled: number };
      return { ...claim, is_settled: is_settled === 1 };
    });
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The first reading that goes to HQ as the present gateway; older ones were another's. */
  get first_sequence(): number {
    return this.#first_sequence;
  }

  /**
   * Whoever delivers from now on. What was delivered as another gateway, perhaps of another store,
   * is never sent again as this one.
   */
  deliverAs(gateway_id: string): void {
    if (gateway_id === this.#gateway_id) return;
    const first = this.#settled_sequence + 1;
    this.#statements.saveOwner.run(gateway_id, first);
    this.#gateway_id = gateway_id;
    this.#first_sequence = first;
  }

  /** HQ has settled everything up to here. */
  get settled_sequence(): number {
    return this.#settled_sequence;
  }

  /** Readings up to `newest` that HQ has not settled. Sequences have no holes, so nothing is scanned. */
  unsettled(newest: number): number {
    const beyond = this.#claims
      .filter((claim) => claim.is_settled)
      .reduce((n, c) => n + size(c), 0);
    return newest - this.#settled_sequence - beyond;
  }

  /** The oldest sequence that HQ has not settled; one past the newest when it has them all. */
  get oldest_unsettled(): number {
    let oldest = this.#settled_sequence + 1;
    for (const claim of this.#claims) {
      if (!claim.is_settled || claim.first_sequence > oldest) break;
      oldest = claim.last_sequence + 1;
    }
    return oldest;
  }

  /**
   * A batch that was begun and is in nobody's hands, or a new one, or null when the lane has nothing
   * to do. A new batch is on disk before it is sent, so that a restart sends it again under its id.
   *
   * @param held ids of the batches that are being sent now.
   */
  next(
    lane: Lane,
    options: { rows_max: number; batch_id: string; held: readonly string[]; newest: number },
  ): OutgoingBatch | null {
    const begun = this.#claims.find(
      ({ is_settled, batch_id }) => !is_settled && !options.held.includes(batch_id),
    );
    const claim = begun ?? this.#claim(lane, options);
    if (claim === null) return null;
    const { batch_id, first_sequence, last_sequence } = claim;
    const batch = { batch_id, epoch: this.#epoch, first_sequence, last_sequence };
    return { batch, ...this.#body(batch) };
  }

  /** HQ has answered: the batch's range is settled. Run inside a transaction. */
  settle({ batch_id }: PendingBatch): void {
    const settled = this.#claims.map((claim) =>
      claim.batch_id === batch_id ? { ...claim, is_settled: true } : claim,
    );
    let mark = this.#settled_sequence;
    const left: Claim[] = [];
    for (const claim of settled) {
      const last = left.at(-1);
      if (left.length === 0 && claim.is_settled && claim.first_sequence <= mark + 1) {
        mark = claim.last_sequence;
      } else if (last?.is_settled && claim.is_settled && touches(last, claim)) {
        left.splice(-1, 1, { ...last, last_sequence: claim.last_sequence });
      } else left.push(claim);
    }
    this.#replaceClaims(left);
    this.#statements.saveSettled.run(mark);
    this.#settled_sequence = mark;
  }

  /** HQ will never take this batch as it is; its readings go into smaller ones. */
  abandon(batch_id: string): void {
    this.#replaceClaims(this.#claims.filter((claim) => claim.batch_id !== batch_id));
  }

  /**
   * Forgets what HQ was thought to have after `settled_sequence`: HQ's database is older than what
   * it once acknowledged. What the log still holds is sent again; HQ knows a reading by its sensor
   * and its time, so one that it has after all counts nothing.
   */
  rewind(settled_sequence: number): void {
    const mark = Math.max(settled_sequence, this.#first_sequence - 1);
    this.#replaceClaims([]);
    this.#statements.saveSettled.run(mark);
    this.#settled_sequence = mark;
  }

  /** This file is older than HQ's memory of it: from now on it is another life of the buffer. */
  beginEpoch(epoch: string): void {
    this.rewind(0);
    this.#statements.saveEpoch.run(epoch);
    this.#epoch = epoch;
  }

  #claim(
    lane: Lane,
    { rows_max, batch_id, newest }: { rows_max: number; batch_id: string; newest: number },
  ): Claim | null {
    const gaps = this.#gaps(newest);
    const tail = gaps.at(-1)?.last_sequence === newest ? gaps.pop() : undefined;
    const isLong = tail !== undefined && size(tail) > rows_max;
    let range: Range | undefined;
    if (lane === 'live') range = isLong ? newestOf(tail, Math.min(live_rows_max, rows_max)) : tail;
    else range = gaps[0] ?? (isLong ? tail : undefined);
    if (range === undefined) return null;
    const { first_sequence } = range;
    const last_sequence = Math.min(range.last_sequence, first_sequence + rows_max - 1);
    const claim = { batch_id, first_sequence, last_sequence, is_settled: false };
    this.#statements.claim.run(batch_id, first_sequence, last_sequence, 0);
    this.#claims = [...this.#claims, claim].sort((a, b) => a.first_sequence - b.first_sequence);
    return claim;
  }

  /** Ranges that no batch has claimed, oldest first. */
  #gaps(newest: number): Range[] {
    const gaps: Range[] = [];
    let first_sequence = this.#settled_sequence + 1;
    for (const claim of this.#claims) {
      const last_sequence = claim.first_sequence - 1;
      if (last_sequence >= first_sequence) gaps.push({ first_sequence, last_sequence });
      first_sequence = claim.last_sequence + 1;
    }
    if (newest >= first_sequence) gaps.push({ first_sequence, last_sequence: newest });
    return gaps;
  }

  #replaceClaims(claims: Claim[]): void {
    this.#statements.dropClaims.run();
    for (const { batch_id, first_sequence, last_sequence, is_settled } of claims) {
      this.#statements.claim.run(batch_id, first_sequence, last_sequence, is_settled ? 1 : 0);
    }
    this.#claims = claims;
  }
}

function size({ first_sequence, last_sequence }: Range): number {
  return last_sequence - first_sequence + 1;
}

function touches(before: Range, after: Range): boolean {
  return before.last_sequence + 1 === after.first_sequence;
}

function newestOf({ last_sequence }: Range, rows: number): Range {
  return { first_sequence: last_sequence - rows + 1, last_sequence };
}

function prepareAll(connection: Connection) {
  const prepare = (sql: string): Statement<unknown[]> => connection.prepare(sql);
  return {
    life: prepare('SELECT * FROM life'),
    claims: prepare('SELECT * FROM batches ORDER BY first_sequence'),
    claim: prepare('INSERT INTO batches VALUES (?, ?, ?, ?)'),
    dropClaims: prepare('DELETE FROM batches'),
    saveSettled: prepare('UPDATE life SET settled_sequence = ?'),
    saveOwner: prepare('UPDATE life SET gateway_id = ?, first_sequence = ?'),
    saveEpoch: prepare('UPDATE life SET epoch = ?'),
  };
}
