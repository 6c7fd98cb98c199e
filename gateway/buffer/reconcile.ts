/**
 * Brings the log in line with what HQ has of it. HQ's memory is exact, epoch by epoch: what it has is not
 * sent again, also where this file is an old image that does not know of it; what it has lost, being
 * itself put back from a backup, is sent again, or stands in quarantine as a number. Synchronous;
 * runs in the writer thread.
 */
import type { Delivery } from './delivery.ts';
import type { Asked, HqMemory, Reconciled } from './entry.ts';
import type { Quarantine } from './quarantine.ts';
import { common, type Range, size, union, without } from './range.ts';
import type { Sums } from './sums.ts';

export interface LogParts {
  readonly delivery: Delivery;
  readonly sums: Sums;
  readonly quarantine: Quarantine;
  /** The oldest sequence that has a row; one past the newest where none has. */
  readonly oldest_kept: number;
}

/** Run inside a transaction. */
export function reconcile(hq: Pick<HqMemory, 'epochs'>, asked: Asked, log: LogParts): Reconciled {
  const { delivery, sums, quarantine, oldest_kept } = log;
  const told = asked.epochs.filter(({ epoch }) => hq.epochs.some((one) => one.epoch === epoch));
  const known = knownOf(hq, asked);
  const foreign = before(delivery.first_sequence);
  const believed = common(asked.settled, told);
  const lost = without(believed, [...known, foreign]);
  // Not settled any more either: the next batch ranges over them without rows, and HQ knows.
  const gone = common(lost, [before(oldest_kept)]);
  // Later, a batch that HQ has just taken may be on its way back.
  const gained = asked.isFirst ? delivery.notBegun(without(known, delivery.settled)) : [];
  for (const range of gained) sums.takeApart(known, range);
  if (lost.length > 0 || gained.length > 0) delivery.remember({ gained, lost });
  const inSums = sums.giveUp(lost, oldest_kept);
  gone.forEach((range, at) => {
    const readings = size(range) + (at === gone.length - 1 ? inSums : 0);
    quarantine.add(forgotten(range, asked.now), readings);
  });
  return { gained: sizeOf(gained), lost: sizeOf(lost) };
}

/** What of the log HQ has, also of batches whose answer is not here yet. */
export function knownOf(hq: Pick<HqMemory, 'epochs'>, { epochs }: Pick<Asked, 'epochs'>): Range[] {
  return union(epochs.flatMap((range) => common(settledOf(hq, range.epoch), [range])));
}

function settledOf(hq: Pick<HqMemory, 'epochs'>, epoch: string): Range[] {
  return hq.epochs
    .filter((one) => one.epoch === epoch)
    .flatMap(({ settled }) =>
      settled.map(([first_sequence, last_sequence]) => ({ first_sequence, last_sequence })),
    );
}

function upTo(last_sequence: number): Range {
  return { first_sequence: 1, last_sequence };
}

function before(sequence: number): Range {
  return upTo(sequence - 1);
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + size(range), 0);
}

function forgotten({ first_sequence, last_sequence }: Range, now: number) {
  const frame = { source: 'hq', address: '', reason: 'forgotten_by_hq', length: 0 };
  const detail = `sequences ${first_sequence} to ${last_sequence} were acknowledged and deleted here`;
  return { ...frame, detail, bytes: new Uint8Array(), received_at: now };
}
