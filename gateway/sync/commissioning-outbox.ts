/**
 * Evidence of walk tests and audits, one file each, kept for good and sent to HQ once. Apart from the
 * buffer: it is a person's word, not a reading, and a damaged buffer must not take it along.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { syncFolder } from '../../shared/runtime/data-file.ts';
import { type CommissioningRecord, commissioningSchema } from '../../shared/wire/commissioning.ts';

const envelopeSchema = z.object({
  /** The enrolment that it belongs to; null: made before the first one. */
  gateway_id: z.uuid().nullable(),
  record: commissioningSchema,
});

/** What became of a record: it stands in the name of its file. */
type Fate = 'waiting' | 'delivered' | 'refused';

export class CommissioningOutbox {
  readonly #folder: string;
  #onRecord = () => {};

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** On disk when it returns. */
  keep(record: CommissioningRecord, gateway_id: string | null): void {
    mkdirSync(this.#folder, { recursive: true });
    const path = this.#path(record.record_id, 'waiting');
    const text = `${JSON.stringify({ gateway_id, record }, null, 2)}\n`;
    writeFileSync(`${path}.new`, text, { flush: true });
    renameSync(`${path}.new`, path);
    syncFolder(this.#folder);
    this.#onRecord();
  }

  /** The oldest record that this gateway has to send, or undefined: ids sort by age. */
  next(gateway_id: string): CommissioningRecord | undefined {
    for (const name of this.#waiting()) {
      const read = envelopeSchema.safeParse(contentOf(join(this.#folder, name)));
      if (!read.success) continue;
      if ([gateway_id, null].includes(read.data.gateway_id)) return read.data.record;
    }
    return undefined;
  }

  settle(record_id: string, fate: 'delivered' | 'refused'): void {
    renameSync(this.#path(record_id, 'waiting'), this.#path(record_id, fate));
    syncFolder(this.#folder);
  }

  /** How many HQ does not have. */
  get waiting(): number {
    return this.#waiting().length;
  }

  /** Calls `notify` at each new record; the last one wins. */
  whenKept(notify: () => void): void {
    this.#onRecord = notify;
  }

  #waiting(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => name.endsWith('.waiting.json'))
        .sort();
    } catch {
      // No folder before the first record.
      return [];
    }
  }

  #path(record_id: string, fate: Fate): string {
    return join(this.#folder, `${record_id}.${fate}.json`);
  }
}

/** Null where it cannot be read: one such file must not hold up the others. */
function contentOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
