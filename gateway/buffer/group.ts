/**
 * The entries of one commit on their way to the writer thread: readings as columns of numbers, and of
 * each meter just the last state. A thousand objects cost more to copy between threads than to decode
 * and store together; one block of numbers costs nothing.
 */
import type { CountReading, Reading } from '../../shared/wire/reading.ts';
import { keyBytes, type MessageKey } from '../meters/message-key.ts';
import type { MeterState } from '../meters/meter.ts';
import type { Entry, QuarantinedFrame, UndatedRecord } from './entry.ts';
import { type KeptMeter, keptMeter } from './meter-rows.ts';

/** Numbers of one reading, in this order: {@link GroupDraft.add} writes them, `readingAt` reads. */
const columns = 12;
/** In the column of the region: the reading counts people who crossed a line. */
const no_region = -1;

/** What the writer takes. */
export interface Group {
  /** Readings in it. */
  readonly rows: number;
  /** {@link columns} numbers a reading; NaN stands for null. May be longer than its rows. */
  readonly numbers: Float64Array;
  /** Ids of sensors and regions, which the numbers name by their place. */
  readonly words: readonly string[];
  /** Each meter that moved, by sensor. */
  readonly meters: ReadonlyMap<string, KeptMeter>;
  /** First intervals of running totals since the start, each as its readings. */
  readonly held: readonly (readonly CountReading[])[];
  readonly quarantined: readonly QuarantinedFrame[];
  readonly undated: readonly UndatedRecord[];
  /** Numbers of the undated records that have become readings, or nothing. */
  readonly dated: readonly number[];
}

/** A group that still grows. */
export class GroupDraft {
  #numbers = new Float64Array(columns * 64);
  #rows = 0;
  #entries = 0;
  readonly #words = new Map<string, number>();
  readonly #meters = new Map<string, MeterState>();
  readonly #held: CountReading[][] = [];
  readonly #quarantined: QuarantinedFrame[] = [];
  readonly #undated: UndatedRecord[] = [];
  readonly #dated: number[] = [];

  get entries(): number {
    return this.#entries;
  }

  add({ readings, dedupe_key, meter, quarantined, undated, dated, isFirstInterval }: Entry): void {
    this.#entries += 1;
    if (isFirstInterval === true) this.#held.push(readings.filter((one) => one.kind === 'count'));
    else for (const reading of readings) this.#addReading(reading, dedupe_key);
    for (const frame of quarantined) this.#quarantined.push(frame);
    if (meter !== null) this.#meters.set(meter.sensor_id, meter.state);
    if (undated !== undefined) this.#undated.push(undated);
    if (dated !== undefined) this.#dated.push(dated);
  }

  finish(): Group {
    const meters = new Map<string, KeptMeter>();
    for (const [sensor_id, state] of this.#meters) meters.set(sensor_id, keptMeter(state));
    return {
      rows: this.#rows,
      numbers: this.#numbers,
      words: [...this.#words.keys()],
      meters,
      held: this.#held,
      quarantined: this.#quarantined,
      undated: this.#undated,
      dated: this.#dated,
    };
  }

  #addReading(reading: Reading, dedupe_key: MessageKey | null): void {
    const at = this.#rows * columns;
    if (at === this.#numbers.length) {
      const longer = new Float64Array(at * 2);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    const isCount = reading.kind === 'count';
    const numbers = this.#numbers;
    numbers[at] = this.#place(reading.sensor_id);
    numbers[at + 1] = isCount ? no_region : this.#place(reading.region_id);
    numbers[at + 2] = reading.observed_at;
    numbers[at + 3] = reading.interval_s;
    numbers[at + 4] = isCount ? reading.in : (reading.occupancy ?? Number.NaN);
    numbers[at + 5] = isCount ? reading.out : (reading.dwell_s ?? Number.NaN);
    numbers[at + 6] = reading.received_at;
    numbers[at + 7] = reading.flags;
    numbers[at + 8] = isCount ? Number.NaN : (reading.dwell_max_s ?? Number.NaN);
    numbers[at + 9] = dedupe_key?.a ?? Number.NaN;
    numbers[at + 10] = dedupe_key?.b ?? Number.NaN;
    numbers[at + 11] = dedupe_key?.c ?? Number.NaN;
    this.#rows += 1;
  }

  #place(word: string): number {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    this.#words.set(word, this.#words.size);
    return this.#words.size - 1;
  }
}

/** The reading in a row of the group. */
export function readingAt({ numbers, words }: Group, row: number): Reading {
  const at = row * columns;
  const number = (column: number) => numbers[at + column] ?? Number.NaN;
  const orNull = (value: number) => (Number.isNaN(value) ? null : value);
  const sensor_id = words[number(0)] ?? '';
  const [observed_at, interval_s] = [number(2), number(3)];
  const [received_at, flags] = [number(6), number(7)];
  const region = number(1);
  // Field by field: every row comes by here, and what two kinds share is slow to spread into either.
  return region === no_region
    ? {
        kind: 'count',
        sensor_id,
        observed_at,
        interval_s,
        received_at,
        flags,
        in: number(4),
        out: number(5),
      }
    : {
        kind: 'zone',
        sensor_id,
        observed_at,
        interval_s,
        received_at,
        flags,
        region_id: words[region] ?? '',
        occupancy: orNull(number(4)),
        dwell_s: orNull(number(5)),
        dwell_max_s: orNull(number(8)),
      };
}

/**
 * The key of the message that the row's reading came from, as the log keeps it, until the next call; null:
 * it has none.
 */
export function keyAt({ numbers }: Group, row: number): Buffer | null {
  const at = row * columns + 9;
  const a = numbers[at] ?? Number.NaN;
  if (Number.isNaN(a)) return null;
  return keyBytes({ a, b: numbers[at + 1] ?? 0, c: numbers[at + 2] ?? 0 });
}
