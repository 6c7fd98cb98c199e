/** What a process finds in the buffer file when it starts. */
import type { MeterState } from '../meters/meter.ts';
import type { UndatedBoot } from './undated.ts';

/** What the main thread needs at start to go on where the last process stopped. */
export interface Recovered {
  readonly epoch: string;
  /** Where a damaged file was put, or null. */
  readonly set_aside: string | null;
  readonly meters: readonly { readonly sensor_id: string; readonly state: MeterState }[];
  /** Newest messages that were counted, oldest first. */
  readonly keys: readonly { readonly sensor_id: string; readonly dedupe_key: string }[];
  /** When the newest reading came, ms since the epoch; null: there is none. */
  readonly newest_received_at: number | null;
  /** Boots from which records are left that came before the clock was set, oldest first. */
  readonly undated_boots: readonly UndatedBoot[];
}
