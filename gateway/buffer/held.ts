/**
 * The first interval after a start of each running total, until HQ has said what it has of it: where the
 * disk is an old image, another life has counted people of the same interval. Synchronous; runs in
 * the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { held_max } from '../../shared/wire/heartbeat-limits.ts';
import type { CountReading } from '../../shared/wire/reading.ts';
import { type Counted, remainder } from '../meters/remainder.ts';
import type { Connection } from './schema.ts';

/** One interval of one sensor; times in ms since the epoch. */
export interface HeldInterval {
  readonly sensor_id: string;
  readonly since: number;
  readonly until: number;
  /** The newest sequence when the process started that held it. */
  readonly after_sequence: number;
}

interface HeldRow {
  readonly id: number;
  /** JSON of the interval's readings. */
  readonly readings: string;
  readonly after_sequence: number;
}

type Interval = Omit<HeldRow, 'readings'> & { readonly readings: readonly CountReading[] };

/** What becomes of an interval. */
export interface Released {
  readonly readings: readonly CountReading[];
  /** Nobody can say how many of these HQ has. */
  readonly unclear: readonly CountReading[];
}

export class Held {
  readonly #add: Statement<unknown[]>;
  readonly #remove: Statement<unknown[]>;
  readonly #all: Statement<unknown[]>;
  readonly #after_sequence: number;

  /** @param after_sequence the newest when the process started. */
  constructor(connection: Connection, after_sequence: number) {
    this.#after_sequence = after_sequence;
    this.#add = connection.prepare('INSERT INTO held (readings, after_sequence) VALUES (?, ?)');
    this.#remove = connection.prepare('DELETE FROM held WHERE id = ?');
    this.#all = connection.prepare('SELECT * FROM held ORDER BY id LIMIT ?');
  }

  /** @param readings of one interval, in order. */
  add(readings: readonly CountReading[]): void {
    this.#add.run(JSON.stringify(readings), this.#after_sequence);
  }

  /** The oldest that HQ is to be asked about. */
  list(): HeldInterval[] {
    return this.#rows().map(intervalOf);
  }

  /** What HQ was asked about, and what it has of it. */
  release(asked: readonly HeldInterval[], counted: readonly Counted[]): Released {
    const isAbout = (one: { sensor_id: string; since: number }, other: HeldInterval) =>
      one.sensor_id === other.sensor_id && one.since === other.since;
    const released = { readings: [] as CountReading[], unclear: [] as CountReading[] };
    for (const row of this.#rows()) {
      const { id, readings } = row;
      const interval = intervalOf(row);
      if (!asked.some((one) => isAbout(one, interval))) continue;
      const known = counted.find((one) => isAbout(one, interval));
      const left = known === undefined ? readings : remainder(readings, known);
      released.readings.push(...(left ?? []));
      released.unclear.push(...(left === null ? readings : []));
      this.#remove.run(id);
    }
    return released;
  }

  #rows(): Interval[] {
    const rows = this.#all.all(held_max) as HeldRow[];
    return rows.map((row) => ({ ...row, readings: JSON.parse(row.readings) }));
  }
}

function intervalOf({ readings, after_sequence }: Interval): HeldInterval {
  const [first] = readings;
  const last = readings.at(-1);
  return {
    sensor_id: first?.sensor_id ?? '',
    since: first?.observed_at ?? 0,
    until: Math.ceil((last?.observed_at ?? 0) + (last?.interval_s ?? 0) * 1000),
    after_sequence,
  };
}
