/**
 * Takes readings out of a damaged file that was set aside, piece by piece: each is one transaction with
 * the note of how far it got, so that a process that is killed goes on where it stopped, and counting goes
 * on between them. Readings keep their sequences. Those that are gone leave holes, and stand in the
 * ledger once the file is done.
 *
 * Epochs stay too, so HQ can tell which of them it has (reconcile.ts).
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openDamaged, orNull } from './buffer-file.ts';
import type { Delivery } from './delivery.ts';
import { Ledger } from './ledger.ts';
import { Quarantine } from './quarantine.ts';
import type { Quota } from './quota.ts';
import { type Range, size } from './range.ts';
import { takePiece } from './salvage-piece.ts';
import type { Connection } from './schema.ts';
import { fileOf, SetAsideFiles } from './set-aside.ts';

/** Sequences of a piece: some 20 ms. */
const sequences_at_once = 4_096;

export class Salvage {
  readonly #into: Connection;
  readonly #delivery: Delivery;
  readonly #quota: Quota;
  readonly #inDelivery: (change: () => void) => void;
  readonly #files: SetAsideFiles | null;
  #words: ReadonlySet<unknown> = new Set();
  #open: { readonly file: string; readonly from: Connection | null } | undefined;

  /** @param inDelivery runs a change in a transaction that delivery goes along with. */
  constructor(
    into: Connection,
    delivery: Delivery,
    quota: Quota,
    inDelivery: (change: () => void) => void,
  ) {
    this.#into = into;
    this.#delivery = delivery;
    this.#quota = quota;
    this.#inDelivery = inDelivery;
    this.#files = SetAsideFiles.in(into);
  }

  /** Readings, as far as anybody knows, that are still in damaged files. */
  get left(): number {
    return this.#delivery.parts.reduce((sum, part) => sum + size(part), 0);
  }

  /**
   * The next piece, while the quota leaves room for it.
   *
   * @param now ms since the epoch.
   * @returns whether there was one.
   * @throws where the damaged file is not to be found.
   */
  step(now: number): boolean {
    const files = this.#files;
    const [part] = this.#delivery.parts;
    if (files === null || (part !== undefined && this.#quota.isNear)) return false;
    this.#inDelivery(() => {
      if (part !== undefined) this.#take(files, part);
      const left = this.#delivery.parts.map(({ batch_id }) => fileOf(batch_id));
      finishFiles(this.#into, files, left, now);
    });
    if (part === undefined) this.close();
    return part !== undefined;
  }

  close(): void {
    this.#open?.from?.close();
    this.#open = undefined;
  }

  #take(files: SetAsideFiles, part: Range & { readonly batch_id: string }): void {
    const file = fileOf(part.batch_id);
    const from = this.#opened(file);
    const end = part.first_sequence + sequences_at_once - 1;
    const until = from === null ? part.last_sequence : Math.min(part.last_sequence, end);
    const piece = { ...part, last_sequence: until };
    const missing = takePiece(from, this.#into, files, { file, piece, words: this.#words });
    this.#delivery.salvaged(part.batch_id, until, missing);
  }

  /** @returns null where SQLite cannot read it at all. */
  #opened(file: string): Connection | null {
    if (this.#open?.file === file) return this.#open.from;
    this.close();
    const path = join(dirname(this.#into.name), file);
    if (!existsSync(path)) throw new Error(`${path} is gone, and readings were still in it`);
    this.#open = { file, from: orNull(() => openDamaged(path)) };
    this.#words = new Set(this.#into.prepare('SELECT id FROM words').pluck().all());
    return this.#open.from;
  }
}

/**
 * Writes what the files lost into the ledger that are not `left`. Losses are those of the process that
 * finds them.
 *
 * @param now ms since the epoch.
 */
export function finishFiles(
  into: Connection,
  files: SetAsideFiles,
  left: readonly string[],
  now: number,
): void {
  for (const { file, epoch, merged, missing, unread, ranges } of files.list()) {
    if (left.includes(file)) continue;
    const lost = merged === null ? unread : Math.max(0, missing - merged);
    const named = ranges.map(({ first_sequence: first, last_sequence: last }) =>
      first === last ? first : `${first}-${last}`,
    );
    const detail = `readings ${named.join(', ')} of epoch ${epoch} could not be read any more`;
    if (lost > 0) addLoss(into, { count: lost, detail, now });
    files.done(file);
  }
}

export function addLoss(
  into: Connection,
  { count, detail, now }: { count: number; detail: string; now: number },
): void {
  const epoch = into.prepare('SELECT epoch FROM life').pluck().get() as string;
  const what = { source: 'buffer', address: '', reason: 'damaged', detail: detail.slice(0, 500) };
  const bytes = new Uint8Array();
  const quarantine = new Quarantine(into, new Ledger(into, epoch));
  quarantine.add({ ...what, bytes, length: 0, received_at: now }, count);
}
