/**
 * `POST /v1/batches`: the contract between a gateway's buffer and HQ.
 *
 * Columns instead of rows: 9.7 bytes a reading after gzip against 14.3 for one JSON object a line,
 * because equal neighbours compress (measured on minute counts). Organisation and store are absent
 * on purpose: HQ takes them from the credential, so no body can name somebody else's.
 */
import { z } from 'zod';
import { batch_version } from './batch-version.ts';
import { sensorIdSchema, text } from './names.ts';
import type { BufferedReading } from './reading.ts';
import { count_max, interval_s_max } from './reading.ts';

/** Readings in one batch, so that HQ's transaction stays short. */
export const batch_rows_max = 5_000;
/** Batches of backlog that one gateway may have under way at most, beside its live ones. */
export const backlog_lanes_max = 5;
/** Compressed body in bytes. */
export const batch_bytes_max = 1024 * 1024;
/**
 * Body after gunzip in bytes: 5,000 rows of 13 + 14 + 14 digits and as many sensor names, three times
 * over. A bound on what one request can make HQ parse.
 */
export const batch_inflated_bytes_max = 4 * 1024 * 1024;

const integer = z.number().int();
const sequence = integer.min(1).max(Number.MAX_SAFE_INTEGER);
/** 2015-01-01 to 2100-01-01: outside, no device clock is meant seriously. */
const instants = { min: 1_420_070_400_000, max: 4_102_444_800_000 };

/** The length is looked at before the values: a million of them must not be parsed to be refused. */
const column = <T extends z.ZodType>(value: T) =>
  z
    .unknown()
    .refine((values) => !Array.isArray(values) || values.length <= batch_rows_max, {
      error: `has more than ${batch_rows_max} values`,
      abort: true,
    })
    .pipe(z.array(value));

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly nullable?: boolean;
}

/**
 * A column of numbers in one loop: the schema of a value, called for each, took longer than parsing
 * the JSON. `fault` says what is wrong with a number within bounds, or null.
 */
function numbers<T extends number | null = number>(
  { min, max, nullable }: Bounds,
  fault: (value: number) => string | null,
) {
  return z.unknown().transform((values, context): T[] => {
    const refuse = (message: string, path: number[] = []): never => {
      context.addIssue({ code: 'custom', message, path });
      return z.NEVER;
    };
    if (!Array.isArray(values)) return refuse('is not an array');
    if (values.length > batch_rows_max) return refuse(`has more than ${batch_rows_max} values`);
    for (let row = 0; row < values.length; row += 1) {
      const value: unknown = values[row];
      if (value === null && nullable === true) continue;
      if (typeof value !== 'number') return refuse('is not a number', [row]);
      const message = value >= min && value <= max ? fault(value) : `is not in ${min} to ${max}`;
      if (message !== null) return refuse(message, [row]);
    }
    return values as T[];
  });
}

const wholeFault = (value: number) => (Number.isInteger(value) ? null : 'is not a whole number');
/** What PostgreSQL's `real` holds: 0, or no smaller than a millisecond. */
const secondsFault = (value: number) =>
  value === 0 || value >= 0.001 ? null : 'is less than a millisecond';

const sequences = numbers({ min: 1, max: Number.MAX_SAFE_INTEGER }, wholeFault);
const places = numbers({ min: 0, max: batch_rows_max }, wholeFault);
const sharedColumns = {
  sequence: sequences,
  /** Index into `sensors`. */
  sensor: places,
  observed_at: numbers(instants, wholeFault),
  interval_s: numbers({ min: 0, max: interval_s_max }, secondsFault),
  received_at: numbers(instants, wholeFault),
  flags: numbers({ min: 0, max: 0x7fff }, wholeFault),
};
const people = numbers({ min: 0, max: count_max }, wholeFault);

const countsSchema = z.strictObject({ ...sharedColumns, in: people, out: people });

const stays = numbers<number | null>({ min: 0, max: 604_800, nullable: true }, secondsFault);

const zonesSchema = z.strictObject({
  ...sharedColumns,
  /** Index into `regions`. */
  region: places,
  occupancy: numbers<number | null>(
    { min: -count_max, max: count_max, nullable: true },
    wholeFault,
  ),
  dwell_s: stays,
  /** Left out where no reading has one, as by gateways before it. */
  dwell_max_s: stays.optional(),
});

/**
 * A batch of readings. `epoch` names the process that appended them and `first_sequence..last_sequence`
 * the part of its log that this batch settles: sequences in the range that no row carries were
 * quarantined in the store and stand in its ledger.
 */
export const batchSchema = z
  .strictObject({
    version: z.literal(batch_version),
    batch_id: z.uuid(),
    epoch: z.uuid(),
    first_sequence: sequence,
    last_sequence: sequence,
    /** Sequences in the range that another batch settles: their people are in a reading of it. */
    absent: sequences.optional(),
    /** Sequences beyond the range that this one settles: their people are in its readings. */
    included: sequences.optional(),
    sensors: column(sensorIdSchema),
    regions: column(text(100).min(1)),
    counts: countsSchema,
    zones: zonesSchema,
  })
  .superRefine((batch, context) => {
    if (batch.first_sequence > batch.last_sequence) {
      context.addIssue({ code: 'custom', path: ['last_sequence'], message: 'is before the first' });
    }
    for (const table of ['counts', 'zones'] as const) {
      const columns = Object.entries(batch[table]) as [string, unknown[]][];
      const rows = batch[table].sequence.length;
      for (const [name, values] of columns) {
        if (values.length !== rows) {
          context.addIssue({
            code: 'custom',
            path: [table, name],
            message: `has ${values.length} values where sequence has ${rows}`,
          });
        }
      }
      const outside = batch[table].sequence.some(
        (s) => s < batch.first_sequence || s > batch.last_sequence,
      );
      if (outside) {
        context.addIssue({
          code: 'custom',
          path: [table, 'sequence'],
          message: 'lies outside first_sequence..last_sequence',
        });
      }
      if (batch[table].sensor.some((index) => index >= batch.sensors.length)) {
        context.addIssue({ code: 'custom', path: [table, 'sensor'], message: 'names no sensor' });
      }
    }
    if (batch.zones.region.some((index) => index >= batch.regions.length)) {
      context.addIssue({ code: 'custom', path: ['zones', 'region'], message: 'names no region' });
    }
    if (batch.absent?.some((s) => s < batch.first_sequence || s > batch.last_sequence)) {
      context.addIssue({ code: 'custom', path: ['absent'], message: 'lies outside the range' });
    }
    if (batch.absent !== undefined) {
      const rows = new Set([...batch.counts.sequence, ...batch.zones.sequence]);
      if (batch.absent.some((s) => rows.has(s))) {
        context.addIssue({ code: 'custom', path: ['absent'], message: 'is the sequence of a row' });
      }
    }
    if (repeats(batch.counts.sequence, batch.zones.sequence)) {
      context.addIssue({ code: 'custom', path: ['counts', 'sequence'], message: 'repeats' });
    }
  });

export type Batch = z.infer<typeof batchSchema>;

/** A gateway sends them ascending; then no two tables of it are needed in memory. */
function repeats(counts: readonly number[], zones: readonly number[]): boolean {
  const ascends = (values: readonly number[]) =>
    values.every((value, row) => row === 0 || value > (values[row - 1] ?? 0));
  if (zones.length === 0 && ascends(counts)) return false;
  const sequences = [...counts, ...zones];
  return new Set(sequences).size !== sequences.length;
}

/** How fast a gateway may send what waited: HQ's present answer to how busy it is. */
const backlogBudgetSchema = z.object({
  /**
   * Batches of backlog under way at once; 0: none until HQ says otherwise. A later HQ may grant more
   * than a gateway has lanes: it uses those that it has.
   */
  in_flight: integer.min(0),
  /** Pause after each of them, ms. */
  pause_ms: integer.min(0).max(3_600_000),
});
export type BacklogBudget = z.infer<typeof backlogBudgetSchema>;

/**
 * HQ's answer to a batch it has committed. `accepted + duplicate + rejected.length` is the number of
 * rows sent; the gateway checks that sum before it forgets anything.
 */
export const batchAnswerSchema = z.object({
  batch_id: z.uuid(),
  accepted: integer.min(0),
  /** Rows that HQ already had with the same values: a replay, nothing to do. */
  duplicate: integer.min(0),
  /** Rows that HQ will never take; the gateway moves them to quarantine under `code`. */
  rejected: z.array(z.object({ sequence, code: z.string(), detail: z.string() })),
  /** Every sequence of this epoch up to here is settled at HQ; 0 before the first. */
  ack_sequence: integer.min(0),
  backlog: backlogBudgetSchema.optional(),
});

export type BatchAnswer = z.infer<typeof batchAnswerSchema>;

/** Turns buffered readings into the columns of a batch. The same rows give the same bytes. */
export function toBatch(
  identity: Pick<Batch, 'batch_id' | 'epoch' | 'first_sequence' | 'last_sequence'>,
  readings: readonly BufferedReading[],
): Batch {
  const sensors = new Dictionary();
  const regions = new Dictionary();
  const batch: Batch = {
    version: batch_version,
    ...identity,
    sensors: sensors.words,
    regions: regions.words,
    counts: {
      sequence: [],
      sensor: [],
      observed_at: [],
      interval_s: [],
      in: [],
      out: [],
      received_at: [],
      flags: [],
    },
    zones: {
      sequence: [],
      sensor: [],
      region: [],
      observed_at: [],
      interval_s: [],
      occupancy: [],
      dwell_s: [],
      received_at: [],
      flags: [],
    },
  };
  const longest: (number | null)[] = [];
  for (const reading of readings) {
    const table = reading.kind === 'count' ? batch.counts : batch.zones;
    table.sequence.push(reading.sequence);
    table.sensor.push(sensors.index(reading.sensor_id));
    table.observed_at.push(reading.observed_at);
    table.interval_s.push(reading.interval_s);
    table.received_at.push(reading.received_at);
    table.flags.push(reading.flags);
    if (reading.kind === 'count') {
      batch.counts.in.push(reading.in);
      batch.counts.out.push(reading.out);
    } else {
      batch.zones.region.push(regions.index(reading.region_id));
      batch.zones.occupancy.push(reading.occupancy);
      batch.zones.dwell_s.push(reading.dwell_s);
      longest.push(reading.dwell_max_s);
    }
  }
  if (longest.some((stay) => stay !== null)) batch.zones.dwell_max_s = longest;
  return batch;
}

/** Words in order of first use, each once. */
class Dictionary {
  readonly words: string[] = [];
  readonly #places = new Map<string, number>();

  index(word: string): number {
    const known = this.#places.get(word);
    if (known !== undefined) return known;
    this.#places.set(word, this.words.length);
    return this.words.push(word) - 1;
  }
}
