/**
 * Meters as rows of the buffer file. Each commit writes those of all sensors that counted, so a row is
 * short: times stand as distances from the start of the newest reading, and what most meters lack
 * stands beside it.
 */
import type { Statement } from 'better-sqlite3';
import { type MeterState, newMeterState } from '../meters/meter.ts';
import type { Connection } from './schema.ts';
import type { Words } from './words.ts';

type Counter = NonNullable<MeterState['totals']['in']>;

interface MeterRow {
  readonly sensor: number;
  readonly device: number | null;
  /** Null in a row that an older program wrote: all of its state is in `rest`. */
  readonly start_second: number | null;
  /** Distance from that second, ms. */
  readonly since: number | null;
  readonly numbers: string | null;
  readonly rest: string | null;
}

/** JSON array without the defaults at its end; distances of times from the start in ms. */
type Numbers = readonly [
  in_value?: number | null,
  in_at?: number | null,
  out_value?: number | null,
  out_at?: number | null,
  pending_in?: number,
  pending_out?: number,
  pending_flags?: number,
  in_second?: number,
  displaced?: number,
];
const defaults = [null, null, null, null, 0, 0, 0, 0, 0] as const;

const inColumns = new Set<keyof MeterState>(['totals', 'since', 'pending', 'starts', 'device']);

/** A meter as the writer thread takes it, in the order of the columns. */
export type KeptMeter = readonly [
  device: string | null,
  start_second: number,
  since: number | null,
  numbers: string | null,
  rest: string | null,
];

/** What goes to the file of a meter. */
export function keptMeter(state: MeterState): KeptMeter {
  const { totals, since, pending, starts, device } = state;
  const zero = starts.second * 1000;
  // A total that waits for the next sample is rare, and more than two numbers.
  const arePlain = isPlain(totals.in) && isPlain(totals.out);
  const total = (counter: Counter | null) =>
    counter === null || !arePlain ? [null, null] : [counter.value, counter.at - zero];
  const numbers = [
    ...total(totals.in),
    ...total(totals.out),
    pending.in,
    pending.out,
    pending.flags,
    starts.in_second,
    starts.displaced,
  ];
  while (numbers.length > 0 && numbers.at(-1) === defaults[numbers.length - 1]) numbers.pop();
  return [
    device ?? null,
    starts.second,
    since === null ? null : since - zero,
    numbers.length === 0 ? null : JSON.stringify(numbers),
    restOf(state, arePlain),
  ];
}

/** What has no column of its own, as JSON; null: nothing, which is what most meters have. */
function restOf(state: MeterState, arePlain: boolean): string | null {
  const names = Object.keys(state) as (keyof MeterState)[];
  const others = names.filter(
    (name) =>
      (!inColumns.has(name) && state[name] !== undefined) || (name === 'totals' && !arePlain),
  );
  if (others.length === 0) return null;
  return JSON.stringify(Object.fromEntries(others.map((name) => [name, state[name]])));
}

function isPlain(counter: Counter | null): boolean {
  return counter === null || (counter.held === null && counter.fallen === undefined);
}

export class MeterRows {
  readonly #save: Statement<unknown[]>;
  readonly #all: Statement<unknown[]>;
  readonly #words: Words;

  constructor(connection: Connection, words: Words) {
    this.#save = connection.prepare('INSERT OR REPLACE INTO meters VALUES (?, ?, ?, ?, ?, ?)');
    this.#all = connection.prepare('SELECT * FROM meters ORDER BY sensor');
    this.#words = words;
  }

  save(sensor_id: string, [device, ...columns]: KeptMeter): void {
    const number = device === null ? null : this.#words.numberOf(device);
    this.#save.run(this.#words.numberOf(sensor_id), number, ...columns);
  }

  all(): { sensor_id: string; state: MeterState }[] {
    return (this.#all.all() as MeterRow[]).map((row) => ({
      sensor_id: this.#words.wordOf(row.sensor),
      state: this.#stateOf(row),
    }));
  }

  #stateOf({ device, start_second, since, ...row }: MeterRow): MeterState {
    const rest = JSON.parse(row.rest ?? '{}') as Partial<MeterState>;
    if (start_second === null) return { ...newMeterState, ...rest };
    const numbers = JSON.parse(row.numbers ?? '[]') as Numbers;
    const [in_value, in_at, out_value, out_at] = numbers;
    const [, , , , pending_in = 0, pending_out = 0, flags = 0] = numbers;
    const [, , , , , , , in_second = 0, displaced = 0] = numbers;
    const zero = start_second * 1000;
    return {
      totals: { in: counterOf(in_value, in_at, zero), out: counterOf(out_value, out_at, zero) },
      since: since === null ? null : zero + since,
      pending: { in: pending_in, out: pending_out, flags },
      starts: { second: start_second, in_second, displaced },
      ...(device === null ? {} : { device: this.#words.wordOf(device) }),
      ...rest,
    };
  }
}

function counterOf(
  value: number | null | undefined,
  at: number | null | undefined,
  zero: number,
): Counter | null {
  if (value === null || value === undefined) return null;
  return { value, at: zero + (at ?? 0), held: null };
}
