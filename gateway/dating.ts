/**
 * Records that come before the gateway's clock is set: a machine without a battery clock boots in the
 * past. They wait on disk, decoded but not yet counted, with their distance from the boot; once the
 * clock is set they go through the meters in their order, as if they had come with that clock. So
 * nothing has to be moved in time that was counted already, and nothing undated is in the log.
 */
import type { BootClock, Clock } from '../shared/runtime/clock.ts';
import { errorText } from '../shared/runtime/errors.ts';
import type { Part } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';
import { readingFlags } from '../shared/wire/reading.ts';
import type { Entry, UndatedRow } from './buffer/entry.ts';
import type { ReadingBuffer } from './buffer/reading-buffer.ts';
import type { Recovered } from './buffer/recovered.ts';
import type { ClockWitness } from './clock-witness.ts';
import { bootDates, isClockSet } from './meters/boot-dates.ts';

export interface DatingOptions {
  readonly buffer: Pick<ReadingBuffer, 'append' | 'undated'>;
  readonly recovered: Pick<Recovered, 'newest_received_at' | 'undated_boots'>;
  readonly boot: BootClock;
  readonly clock: Clock;
  readonly witness: Pick<ClockWitness, 'confirms'>;
  readonly log: Log;
}

/** What became of a record's time. */
export interface Dated {
  /** ms since the epoch. */
  readonly received_at: number;
  /** {@link readingFlags} that say so. */
  readonly flags: number;
}

/** Takes a record that has a time now; resolves when what it says is on disk, and it is settled. */
export type TakeDated = (row: UndatedRow, dated: Dated) => Promise<void>;

const look_every_ms = 500;
const read_retry_ms = 1_000;
const rows_at_once = 500;
const nothing: Entry = { readings: [], dedupe_key: null, meter: null, quarantined: [] };

export class Dating implements Part {
  readonly name = 'dating';
  readonly #options: DatingOptions;
  #state: 'unset' | 'catching_up' | 'set';
  #take: TakeDated = () => Promise.reject(new Error('nobody takes dated records'));
  #caughtUp: Promise<void> = Promise.resolve();
  #cancelLook = () => {};
  #isStopped = false;

  constructor(options: DatingOptions) {
    this.#options = options;
    const { recovered } = options;
    this.#state = recovered.undated_boots.length === 0 && this.#isSet() ? 'set' : 'unset';
  }

  /** Who takes the records once they have a time. */
  onDated(take: TakeDated): void {
    this.#take = take;
  }

  start(): void {
    this.#look();
    if (this.#state === 'unset') this.#options.log.warn('clock_not_set');
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelLook();
  }

  /** Whether records have to wait on disk. */
  get waits(): boolean {
    return this.#state === 'unset';
  }

  /** Settles when older records have gone before; null where there are none. */
  get caughtUp(): Promise<void> | null {
    return this.#state === 'catching_up' ? this.#caughtUp : null;
  }

  /** @param record JSON of what {@link TakeDated} will need. */
  entryOf(record: string): Entry {
    const { boot_id, uptime_ms } = this.#options.boot;
    return { ...nothing, undated: { boot_id, uptime_ms: uptime_ms(), record } };
  }

  #isSet(): boolean {
    const { clock, recovered, witness } = this.#options;
    const now = clock.now();
    if (isClockSet(now, recovered.newest_received_at)) return true;
    return isClockSet(now, null) && witness.confirms;
  }

  #look(): void {
    if (this.#isStopped || this.#state !== 'unset') return;
    if (this.#isSet()) {
      this.#state = 'catching_up';
      this.#caughtUp = this.#catchUp();
    } else this.#cancelLook = this.#options.clock.after(look_every_ms, () => this.#look());
  }

  async #catchUp(): Promise<void> {
    const { boot, buffer, clock, log, recovered } = this.#options;
    const { boot_id } = boot;
    const began_at = clock.now() - boot.uptime_ms();
    const dates = bootDates(recovered.undated_boots, { boot_id, began_at });
    // What was held last is on disk after this, and then found there.
    await buffer.append([nothing]);
    let records = 0;
    for (;;) {
      const rows = await this.#oldest();
      // Nothing may overtake what is left; it is not acknowledged and comes again.
      if (this.#isStopped) return new Promise(() => {});
      if (rows.length === 0) break;
      await Promise.all(rows.map((row) => this.#take(row, dated(row, dates, boot_id))));
      records += rows.length;
    }
    this.#state = 'set';
    log.info({ records }, 'the clock is set');
  }

  /** While the disk fails, what is left and what came after it waits. */
  async #oldest(): Promise<UndatedRow[]> {
    const { buffer, clock, log } = this.#options;
    while (!this.#isStopped) {
      try {
        return await buffer.undated(rows_at_once);
      } catch (error) {
        log.error({ detail: errorText(error) }, 'undated records cannot be read');
        await clock.sleep(read_retry_ms);
      }
    }
    return [];
  }
}

function dated(row: UndatedRow, dates: ReadonlyMap<string, number>, present: string): Dated {
  const began_at = dates.get(row.boot_id) ?? 0;
  const unknown = row.boot_id === present ? 0 : readingFlags.date_unknown;
  return { received_at: began_at + row.uptime_ms, flags: readingFlags.retimed | unknown };
}
