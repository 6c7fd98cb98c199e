/**
 * The first interval after a start of each running total, until HQ has said what it has of it: where the
 * disk is an old image, another life has counted people of the same interval. Synchronous; runs in
 * the writer thread.
 */
import type { Statement } from 'better-sqlite3';
import { held_max } from '../../shared/wire/heartbeat-limits.ts';
import type { CountReading } from '../../shared/wire/reading.ts';
import { type Counted, remainder } from '../meters/remainder.ts';
import { holds, type Range } from './range.ts';
import type { Connection } from './schema.ts';

/** Where readings of this log are looked for: as many as stay when they are delivered. */
const own_rows_max = 100_000;

/** One interval of one sensor; times in ms since the epoch. */
export interface HeldInterval {
  readonly sensor_id: string;
  readonly since: number;
  readonly until: number;
}

interface HeldRow {
  readonly id: number;
  /** JSON of the interval's readings. */
  readonly readings: string;
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
  readonly #own: Statement<unknown[]>;
  readonly #found_sequence: number;

  /** @param found_sequence the newest when the process started. */
  constructor(connection: Connection, found_sequence: number) {
    this.#found_sequence = found_sequence;
    this.#add = connection.prepare('INSERT INTO held (readings) VALUES (?)');
    this.#remove = connection.prepare('DELETE FROM held WHERE id = ?');
    this.#own = connection
      .prepare(
        `SELECT sequence FROM readings WHERE sequence BETWEEN @first AND @last
           AND sensor = (SELECT id FROM words WHERE word = @sensor_id)
           AND observed_at < @until AND observed_at + interval_s * 1000 > @since + 2`,
      )
      .pluck();
    this.#all = connection.prepare('SELECT * FROM held ORDER BY id LIMIT ?');
  }

  /** @param readings of one interval, in order. */
  add(readings: readonly CountReading[]): void {
    this.#add.run(JSON.stringify(readings));
  }

  /** The oldest that HQ is to be asked about. */
  list(): HeldInterval[] {
    return this.#rows().map(intervalOf);
  }

  /**
   * What HQ was asked about, and what it has of it.
   *
   * @param at_hq what of the log HQ has.
   */
  release(
    asked: readonly HeldInterval[],
    counted: readonly Counted[],
    at_hq: readonly Range[],
  ): Released {
    const isAbout = (one: { sensor_id: string; since: number }, other: HeldInterval) =>
      one.sensor_id === other.sensor_id && one.since === other.since;
    const released = { readings: [] as CountReading[], unclear: [] as CountReading[] };
    for (const row of this.#rows()) {
      const interval = intervalOf(row);
      if (!asked.some((one) => isAbout(one, interval))) continue;
      const known = counted.find((one) => isAbout(one, interval));
      const left = known === undefined ? row.readings : this.#left(row, known, at_hq);
      released.readings.push(...(left ?? []));
      released.unclear.push(...(left === null ? row.readings : []));
      this.#remove.run(row.id);
    }
    return released;
  }

  /**
   * Where a clock went back, readings of this log lie in the interval too. They are no other life's; beside
   * such nobody can tell whose people HQ has summed.
   */
  #left(row: Interval, known: Counted, at_hq: readonly Range[]): readonly CountReading[] | null {
    const own = this.#ownIn(intervalOf(row)).filter((sequence) => holds(at_hq, sequence)).length;
    if (own > 0 && own >= known.readings) return row.readings;
    return own === 0 ? remainder(row.readings, known) : null;
  }

  #ownIn(interval: HeldInterval): number[] {
    const bounds = { first: this.#found_sequence - own_rows_max, last: this.#found_sequence };
    return this.#own.all({ ...interval, ...bounds }) as number[];
  }

  #rows(): Interval[] {
    const rows = this.#all.all(held_max) as HeldRow[];
    return rows.map((row) => ({ ...row, readings: JSON.parse(row.readings) }));
  }
}

function intervalOf({ readings }: Interval): HeldInterval {
  const [first] = readings;
  const last = readings.at(-1);
  return {
    sensor_id: first?.sensor_id ?? '',
    since: first?.observed_at ?? 0,
    until: Math.ceil((last?.observed_at ?? 0) + (last?.interval_s ?? 0) * 1000),
  };
}
