/**
 * Which readings are on their way to HQ and which are settled. Synchronous; runs in the writer
 * thread.
 *
 * A batch claims a range of the log. The live lane claims the newest readings, so that HQ sees the
 * present first; the backlog lane claims the oldest, several batches at once. A settled range stays
 * until everything before it is settled too, then the mark moves over it.
 */
import { type BatchBody, batchBodies } from './batch-body.ts';
import { type Claim, claimOf } from './claim.ts';
import { deliveryStatements } from './delivery-statements.ts';
import type { Lane, PendingBatch } from './entry.ts';
import { cut, type Epochs } from './epochs.ts';
import { Offered } from './offered.ts';
import { newestOf, type Range, size, touches, union, without } from './range.ts';
import type { Connection } from './schema.ts';
import { isPart } from './set-aside.ts';
import type { Sums } from './sums.ts';

/** When more than a batch waits, the live lane takes only this much of it: it has to be quick. */
const live_rows_max = 500;

export interface OutgoingBatch extends BatchBody {
  readonly batch: PendingBatch;
}

export class Delivery {
  readonly #statements: ReturnType<typeof deliveryStatements>;
  readonly #body: (batch: PendingBatch) => BatchBody;
  readonly #epochs: Epochs;
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

  constructor(connection: Connection, { epochs, sums }: { epochs: Epochs; sums: Sums }) {
    this.#statements = deliveryStatements(connection);
    this.#body = batchBodies(connection, sums);
    this.#epochs = epochs;
    this.#offered = new Offered(connection);
    this.reload();
  }

  /** Takes what is on disk for true: at start, and after a transaction that failed. */
  reload(): void {
    const life = this.#statements.life.get() as {
      settled_sequence: number;
      gateway_id: string | null;
      first_sequence: number;
      merged: number;
    };
    this.#holes = life.merged;
    this.#gateway_id = life.gateway_id;
    this.#first_sequence = life.first_sequence;
    this.#settled_sequence = life.settled_sequence;
    this.#claims = this.#statements.claims.all().map(claimOf);
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

  /** All that HQ has settled, and what was never for it to settle. */
  get settled(): Range[] {
    const mark = Math.max(this.#settled_sequence, this.#first_sequence - 1);
    const beyond = this.#claims.filter((claim) => claim.is_settled);
    return union([{ first_sequence: 1, last_sequence: mark }, ...beyond]);
  }

  /** Readings up to `newest` that HQ has not settled. Holes are counted as they come: no scan. */
  unsettled(newest: number): number {
    const beyond = this.#claims
      .filter((claim) => claim.is_settled)
      .reduce((n, c) => n + size(c) - c.holes, 0);
    return newest - this.#settled_sequence - this.#holes - beyond;
  }

  /** The first sequences from `from` to `until` of one epoch that no batch has ever held, or null. */
  neverSent(from: number, until: number): Range | null {
    const first_sequence = Math.max(from, this.#settled_sequence + 1);
    const sent = [...this.#claims, ...this.#offered.list()];
    const [range] = without([{ first_sequence, last_sequence: until }], sent);
    return range === undefined ? null : cut(range, this.#epochs.around(range.first_sequence));
  }

  /** Rows that {@link neverSent} gave are gone, their people are in others of them. */
  merged(rows: number): void {
    this.#saveHoles(this.#holes + rows);
  }

  /** Parts of the log that are still in files set aside, oldest first. */
  get parts(): readonly (Range & { readonly batch_id: string })[] {
    return this.#claims.filter(isPart);
  }

  /** A part is in the log up to a sequence, but for `missing`. Run inside a transaction. */
  salvaged(batch_id: string, until: number, missing: number): void {
    const left = this.#claims.map((claim) =>
      claim.batch_id === batch_id ? { ...claim, first_sequence: until + 1 } : claim,
    );
    this.#replaceClaims(left.filter((claim) => size(claim) > 0));
    if (missing > 0) this.#saveHoles(this.#holes + missing);
  }

  /** Whether the log knows of a batch: one that took another's place does not know what it had begun. */
  hasBegun({ batch_id }: PendingBatch): boolean {
    return this.#claims.some((claim) => claim.batch_id === batch_id);
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
        !isPart({ batch_id }) &&
        !options.held.includes(batch_id) &&
        (lane === 'backlog' || this.#live.has(batch_id)),
    );
    const claim = begun ?? this.#claim(lane, options);
    if (claim === null) return null;
    const { batch_id, first_sequence, last_sequence } = claim;
    const { epoch } = this.#epochs.around(first_sequence);
    const batch = { batch_id, epoch, first_sequence, last_sequence };
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
   * Takes HQ's memory for true. What HQ has lost is sent again; it knows a reading by its sensor and its
   * time too, so one that it has after all counts nothing. Batches that were begun are sent again
   * under their ids: HQ's answer says what it refused of them.
   *
   * @param changes parts of the log that HQ was found to have, and to have lost.
   */
  remember({ gained, lost }: { gained: readonly Range[]; lost: readonly Range[] }): void {
    for (const range of lost) this.#offered.add(range);
    const begun = this.#claims.filter((claim) => !claim.is_settled);
    const all = without(union([...without(this.settled, lost), ...gained]), begun);
    const mark = all[0]?.first_sequence === 1 ? all[0].last_sequence : 0;
    const passed = { first_sequence: this.#settled_sequence + 1, last_sequence: mark };
    const back = { first_sequence: mark + 1, last_sequence: this.#settled_sequence };
    this.#saveHoles(this.#holes + this.#holesIn(back) - this.#holesIn(passed));
    const settled = without(all, [{ first_sequence: 1, last_sequence: mark }]).map((range) => {
      const batch_id = `known-${range.first_sequence}`;
      return { batch_id, ...range, is_settled: true, holes: this.#holesIn(range) };
    });
    this.#replaceClaims([...begun, ...settled].sort((a, b) => a.first_sequence - b.first_sequence));
    this.#statements.saveSettled.run(mark);
    this.#settled_sequence = mark;
  }

  /**
   * HQ refuses the one reading of a batch, and it has left the log: the next batch ranges over its
   * sequence without it, and so HQ knows that it is settled.
   */
  refused(batch_id: string): void {
    this.abandon(batch_id);
    this.#saveHoles(this.#holes + 1);
  }

  /** What of `ranges` is in no batch that was begun and not answered. */
  notBegun(ranges: readonly Range[]): Range[] {
    return without(
      ranges,
      this.#claims.filter((claim) => !claim.is_settled),
    );
  }

  #claim(
    lane: Lane,
    { rows_max, batch_id, newest }: { rows_max: number; batch_id: string; newest: number },
  ): Claim | null {
    const unsettled = { first_sequence: this.#settled_sequence + 1, last_sequence: newest };
    const gaps = without([unsettled], this.#claims);
    const tail = gaps.at(-1)?.last_sequence === newest ? gaps.pop() : undefined;
    const isLong = tail !== undefined && size(tail) > rows_max;
    let whole: Range | undefined;
    if (lane === 'live') whole = isLong ? newestOf(tail, Math.min(live_rows_max, rows_max)) : tail;
    else whole = gaps[0] ?? (isLong ? tail : undefined);
    if (whole === undefined) return null;
    const end = lane === 'live' ? whole.last_sequence : whole.first_sequence;
    const range = cut(whole, this.#epochs.around(end));
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

  #replaceClaims(claims: Claim[]): void {
    this.#statements.dropClaims.run();
    for (const { batch_id, first_sequence, last_sequence, is_settled, holes } of claims) {
      const settled = is_settled ? 1 : 0;
      this.#statements.claim.run(batch_id, first_sequence, last_sequence, settled, holes);
    }
    this.#claims = claims;
  }
}
