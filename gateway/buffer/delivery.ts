/**
 * Which readings are on their way to HQ and which are settled. Synchronous; runs in the writer
 * thread.
 *
 * A batch claims a range of the log. The live lane claims the newest readings, so that HQ sees the
 * present first; the backlog lane claims the oldest, several batches at once. A settled range stays
 * until everything before it is settled too, then the mark moves over it.
 */
import { type BatchBody, batchBodies } from './batch-body.ts';
import { deliveryStatements } from './delivery-statements.ts';
import type { Lane, PendingBatch } from './entry.ts';
import { Offered } from './offered.ts';
import { newestOf, type Range, size, touches } from './range.ts';
import type { Connection } from './schema.ts';

/** When more than a batch waits, the live lane takes only this much of it: it has to be quick. */
const live_rows_max = 500;

interface Claim extends Range {
  readonly batch_id: string;
  readonly is_settled: boolean;
  /** Sequences of its range that have no row: their readings were added to others. */
  readonly holes: number;
}

export interface OutgoingBatch extends BatchBody {
  readonly batch: PendingBatch;
}

export class Delivery {
  readonly #statements: ReturnType<typeof deliveryStatements>;
  readonly #body: (batch: PendingBatch) => BatchBody;
  #epoch = '';
  #settled_sequence = 0;
  #gateway_id: string | null = null;
  #first_sequence = 1;
  /** Sequences beyond the mark that have no row. */
  #holes = 0;
  readonly #offered: Offered;
  /** Ordered by sequence; they never overlap. */
  #claims: Claim[] = [];
  /** Batches that the live lane began since the start. */
  readonly #live = new Set<string>();

  constructor(connection: Connection) {
    this.#statements = deliveryStatements(connection);
    this.#body = batchBodies(connection);
    this.#offered = new Offered(connection);
    this.reload();
  }

  /** Takes what is on disk for true: at start, and after a transaction that failed. */
  reload(): void {
    const life = this.#statements.life.get() as {
      epoch: string;
      settled_sequence: number;
      gateway_id: string | null;
      first_sequence: number;
      merged: number;
    };
    this.#holes = life.merged;
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
   *
   * @returns whether another gateway delivered before.
   */
  deliverAs(gateway_id: string): boolean {
    if (gateway_id === this.#gateway_id) return false;
    const isAnother = this.#gateway_id !== null;
    const first = this.#settled_sequence + 1;
    this.#statements.saveOwner.run(gateway_id, first);
    this.#gateway_id = gateway_id;
    this.#first_sequence = first;
    return isAnother;
  }

  /** HQ has settled everything up to here. */
  get settled_sequence(): number {
    return this.#settled_sequence;
  }

  /** Readings up to `newest` that HQ has not settled. Holes are counted as they come: no scan. */
  unsettled(newest: number): number {
    const beyond = this.#claims
      .filter((claim) => claim.is_settled)
      .reduce((n, c) => n + size(c) - c.holes, 0);
    return newest - this.#settled_sequence - this.#holes - beyond;
  }

  /** The first sequences from `from` to `until` that no batch has ever held, or null. */
  neverSent(from: number, until: number): Range | null {
    const barriers = [...this.#claims, ...this.#offered.list()].sort(
      (a, b) => a.first_sequence - b.first_sequence,
    );
    let first_sequence = Math.max(from, this.#settled_sequence + 1);
    for (const barrier of barriers) {
      if (barrier.first_sequence > first_sequence) {
        const last_sequence = Math.min(until, barrier.first_sequence - 1);
        if (last_sequence >= first_sequence) return { first_sequence, last_sequence };
      }
      first_sequence = Math.max(first_sequence, barrier.last_sequence + 1);
    }
    return until >= first_sequence ? { first_sequence, last_sequence: until } : null;
  }

  /** Rows that {@link neverSent} gave are gone, their people are in others of them. */
  merged(rows: number): void {
    this.#saveHoles(this.#holes + rows);
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
   * The live lane takes none that another began: backlog that HQ turned away would come back as the
   * present.
   *
   * @param held ids of the batches that are being sent now.
   */
  next(
    lane: Lane,
    options: { rows_max: number; batch_id: string; held: readonly string[]; newest: number },
  ): OutgoingBatch | null {
    const begun = this.#claims.find(
      ({ is_settled, batch_id }) =>
        !is_settled &&
        !options.held.includes(batch_id) &&
        (lane === 'backlog' || this.#live.has(batch_id)),
    );
    const claim = begun ?? this.#claim(lane, options);
    if (claim === null) return null;
    const { batch_id, first_sequence, last_sequence } = claim;
    const batch = { batch_id, epoch: this.#epoch, first_sequence, last_sequence };
    return { batch, ...this.#body(batch) };
  }

  /** HQ has answered: the batch's range is settled. Run inside a transaction. */
  settle({ batch_id }: PendingBatch): void {
    this.#live.delete(batch_id);
    const settled = this.#claims.map((claim) =>
      claim.batch_id === batch_id ? { ...claim, is_settled: true } : claim,
    );
    let mark = this.#settled_sequence;
    let passed = 0;
    const left: Claim[] = [];
    for (const claim of settled) {
      const last = left.at(-1);
      if (left.length === 0 && claim.is_settled && claim.first_sequence <= mark + 1) {
        mark = claim.last_sequence;
        passed += claim.holes;
      } else if (last?.is_settled && claim.is_settled && touches(last, claim)) {
        const holes = last.holes + claim.holes;
        left.splice(-1, 1, { ...last, last_sequence: claim.last_sequence, holes });
      } else left.push(claim);
    }
    this.#replaceClaims(left);
    if (passed > 0) this.#saveHoles(this.#holes - passed);
    this.#offered.forget(mark);
    this.#statements.saveSettled.run(mark);
    this.#settled_sequence = mark;
  }

  /** HQ will never take this batch as it is; its readings go into smaller ones. */
  abandon(batch_id: string): void {
    this.#live.delete(batch_id);
    for (const claim of this.#claims) if (claim.batch_id === batch_id) this.#offered.add(claim);
    this.#replaceClaims(this.#claims.filter((claim) => claim.batch_id !== batch_id));
  }

  /**
   * Forgets what HQ was thought to have after `settled_sequence`: HQ's database is older than what
   * it once acknowledged. What the log still holds is sent again; HQ knows a reading by its sensor
   * and its time, so one that it has after all counts nothing.
   */
  rewind(settled_sequence: number): void {
    const mark = Math.max(settled_sequence, this.#first_sequence - 1);
    const again = { first_sequence: mark + 1, last_sequence: this.#settled_sequence };
    for (const range of [again, ...this.#claims]) this.#offered.add(range);
    this.#saveHoles(Math.max(0, this.#holes + this.#holesIn(again)));
    this.#replaceClaims([]);
    this.#statements.saveSettled.run(mark);
    this.#settled_sequence = mark;
  }

  /** This file is older than HQ's memory of it: from now on it is another life of the buffer. */
  beginEpoch(epoch: string, newest: number): void {
    this.rewind(0);
    // Its other life may have sent all of it.
    this.#offered.add({ first_sequence: 1, last_sequence: newest });
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
    const last_sequence = Math.min(range.last_sequence, this.#endOf(first_sequence, rows_max));
    const holes = this.#holesIn({ first_sequence, last_sequence });
    const claim = { batch_id, first_sequence, last_sequence, is_settled: false, holes };
    this.#statements.claim.run(batch_id, first_sequence, last_sequence, 0, holes);
    if (lane === 'live') this.#live.add(batch_id);
    this.#claims = [...this.#claims, claim].sort((a, b) => a.first_sequence - b.first_sequence);
    return claim;
  }

  /** Where `rows_max` rows from `first_sequence` on end, with the holes after them. */
  #endOf(first_sequence: number, rows_max: number): number {
    if (this.#holes === 0) return first_sequence + rows_max - 1;
    const next = this.#statements.rowAfter.get(first_sequence, rows_max) as number | undefined;
    return next === undefined ? Number.MAX_SAFE_INTEGER : next - 1;
  }

  #holesIn(range: Range): number {
    const { first_sequence, last_sequence } = range;
    if (last_sequence < first_sequence) return 0;
    return size(range) - (this.#statements.rowsIn.get(first_sequence, last_sequence) as number);
  }

  #saveHoles(holes: number): void {
    this.#statements.saveHoles.run(holes);
    this.#holes = holes;
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
    for (const { batch_id, first_sequence, last_sequence, is_settled, holes } of claims) {
      const settled = is_settled ? 1 : 0;
      this.#statements.claim.run(batch_id, first_sequence, last_sequence, settled, holes);
    }
    this.#claims = claims;
  }
}
