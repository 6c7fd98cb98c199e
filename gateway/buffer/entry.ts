/** What one commit of the buffer takes, and what it tells about itself. */

import type { Reading } from '../../shared/wire/reading.ts';
import type { MessageKey } from '../meters/message-key.ts';
import type { MeterState } from '../meters/meter.ts';
import type { Counted } from '../meters/remainder.ts';
import type { HeldInterval } from './held.ts';
import type { Range } from './range.ts';

/** Why something stands in quarantine instead of in the log. */
export interface QuarantinedFrame {
  readonly source: string;
  readonly address: string;
  readonly reason: string;
  readonly detail: string;
  /** Head of the bytes, at most {@link quarantine_bytes_kept}. */
  readonly bytes: Uint8Array;
  /** Length as received. */
  readonly length: number;
  /** ms since the epoch. */
  readonly received_at: number;
}

/** Enough of a frame to see what it was; a device that sends pictures must not fill the disk. */
export const quarantine_bytes_kept = 4096;
/** Rows kept to look at; the totals count on for ever. */
export const quarantine_rows_kept = 10_000;

/** Measures that came before the clock was set. */
export interface UndatedRecord {
  readonly boot_id: string;
  /** When they came, ms since that boot. */
  readonly uptime_ms: number;
  /** JSON of what the meter will need of them. */
  readonly record: string;
}

/** An undated record in the file. */
export interface UndatedRow extends UndatedRecord {
  readonly id: number;
}

/** Everything one frame leads to. It reaches the disk whole or not at all. */
export interface Entry {
  readonly readings: readonly Reading[];
  /** Names the message that the readings came from; null for totals. */
  readonly dedupe_key: MessageKey | null;
  /** The sensor's meter after this frame, or null where it did not move. */
  readonly meter: { readonly sensor_id: string; readonly state: MeterState } | null;
  readonly quarantined: readonly QuarantinedFrame[];
  /** Kept until it has a time; then an entry comes with what it led to, and with its number. */
  readonly undated?: UndatedRecord;
  /** Number of the undated record that this entry settles. */
  readonly dated?: number;
  /** The readings are the first interval of a running total since the start: see held.ts. */
  readonly isFirstInterval?: boolean;
}

export interface QuarantineTotal {
  readonly source: string;
  readonly reason: string;
  readonly count: number;
  /** ms since the epoch. */
  readonly last_at: number;
}

/** What HQ is told of an epoch; it only ever grows. */
export interface EpochTotal {
  readonly epoch: string;
  readonly source: string;
  readonly reason: string;
  readonly count: number;
}

export interface QuarantineRow {
  readonly id: number;
  readonly source: string;
  readonly address: string;
  readonly reason: string;
  readonly detail: string;
  readonly received_at: number;
  readonly length: number;
  /** Head of the bytes in base64. */
  readonly bytes: string;
}

export interface BufferStats {
  readonly epoch: string;
  /** What the log is made of, oldest first; the last is the process's own. */
  readonly epochs: readonly EpochRange[];
  /** Intervals of running totals that wait for HQ's word; see held.ts. */
  readonly held: readonly HeldInterval[];
  /** As whom its readings are delivered, or were last; null: as nobody yet. */
  readonly gateway_id: string | null;
  /** Readings that HQ has not settled. */
  readonly buffered: number;
  readonly last_sequence: number;
  readonly settled_sequence: number;
  /** All that HQ has settled, also beyond that. */
  readonly settled: readonly Range[];
  /** The first reading that is delivered as the present gateway. */
  readonly first_sequence: number;
  /** `observed_at` and `received_at` of the oldest unsettled reading, or null. */
  readonly oldest_unsent_at: number | null;
  readonly oldest_unsent_received_at: number | null;
  /** Records that wait for the clock to be set. */
  readonly undated: number;
  /** Of {@link buffered}, those still in a damaged file that was set aside: they follow piece by piece. */
  readonly salvaging: number;
  /** `released`: the disk was full, and has not had room for it since; see reserve.ts. */
  readonly reserve: 'held' | 'released';
  /** Size of database and journal, bytes. */
  readonly bytes: number;
  /** Readings that were added to others because the quota was near; their people are all there. */
  readonly coalesced: number;
  /** What counts against the quota, bytes: the database without its free pages. */
  readonly used_bytes: number;
  readonly quota_bytes: number;
  readonly quarantined: readonly QuarantineTotal[];
  /** The same as HQ is told it: by epoch, without what another gateway has told. */
  readonly losses: readonly EpochTotal[];
}

/** Newest readings first, or oldest first: HQ sees the present while the past is on its way. */
export type Lane = 'live' | 'backlog';

/** A batch that is on its way: the same rows under the same id until HQ answers. */
export interface PendingBatch {
  readonly batch_id: string;
  readonly epoch: string;
  readonly first_sequence: number;
  readonly last_sequence: number;
}

/** The part of the log that one process appended; see epochs.ts. */
export interface EpochRange extends Range {
  readonly epoch: string;
}

/** What HQ has of what it was told. */
export interface HqMemory {
  /** Of each epoch, within the sequences that were told. */
  readonly epochs: readonly {
    readonly epoch: string;
    readonly settled: readonly (readonly [first_sequence: number, last_sequence: number])[];
  }[];
  /** Of the intervals that are held; those of which it has nothing are left out. */
  readonly counted: readonly Counted[];
}

/** With what a heartbeat asked, and when (ms since the epoch). */
export interface Asked {
  readonly epochs: readonly EpochRange[];
  /** What HQ had settled before it was asked. */
  readonly settled: readonly Range[];
  readonly losses: readonly EpochTotal[];
  readonly held: readonly HeldInterval[];
  /** The first answer since the process started: nothing is on its way to HQ. */
  readonly isFirst: boolean;
  readonly now: number;
}

/** How many sequences HQ was found to have, that this file did not know of, and to have lost. */
export interface Reconciled {
  readonly gained: number;
  readonly lost: number;
}

/** A reading that HQ will never take. */
export interface Refusal {
  readonly sequence: number;
  readonly code: string;
  readonly detail: string;
}
