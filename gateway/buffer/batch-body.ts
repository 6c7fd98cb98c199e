/**
 * The readings of a batch as HQ takes them, gzip and all. SQLite builds the columns (half a
 * microsecond a reading; row objects took three), in the writer thread, where it holds nobody up.
 */
import { gzipSync } from 'node:zlib';
import { batch_version } from '../../shared/wire/batch-version.ts';
import type { PendingBatch } from './entry.ts';
import type { Connection } from './schema.ts';
import type { Sums } from './sums.ts';

export interface BatchBody {
  /** Readings in it. */
  readonly rows: number;
  /** gzip of a `Batch` as JSON; the same rows give the same bytes. */
  readonly body: Uint8Array;
}

/** Columns of the log, as they are called on the wire. */
const shared = {
  sequence: 'sequence',
  sensor: 'sensor',
  observed_at: 'observed_at',
  interval_s: 'interval_s',
  received_at: 'received_at',
  flags: 'flags',
};
const columns = {
  count: { ...shared, in: 'in_count', out: 'out_count' },
  zone: {
    ...shared,
    region: 'region',
    occupancy: 'occupancy',
    dwell_s: 'dwell_s',
    dwell_max_s: 'dwell_max_s',
  },
};

/** @returns a function that builds the body of a batch from the log. */
export function batchBodies(
  connection: Connection,
  sums: Sums,
): (batch: PendingBatch) => BatchBody {
  const read = {
    count: connection.prepare(select('count')),
    zone: connection.prepare(select('zone')),
  };
  const word = connection.prepare('SELECT word FROM words WHERE id = ?').pluck();
  const wordOf = (number: number) => String(word.get(number));
  return ({ batch_id, epoch, first_sequence, last_sequence }) => {
    const sensors = new Dictionary(wordOf);
    const regions = new Dictionary(wordOf);
    const table = (kind: keyof typeof read) => {
      const row = read[kind].get(first_sequence, last_sequence) as Record<string, string>;
      const texts = Object.entries(row)
        .filter(([name]) => name !== 'rows')
        // Few devices say it, and an HQ that does not know it yet takes all the others.
        .filter(([name, text]) => name !== 'dwell_max_s' || /\d/.test(text))
        .map(([name, text]) => {
          if (name === 'sensor') return `"sensor":${sensors.places(text)}`;
          if (name === 'region') return `"region":${regions.places(text)}`;
          return `"${name}":${text}`;
        });
      return { rows: Number(row['rows']), text: `{${texts.join(',')}}` };
    };
    const counts = table('count');
    const zones = table('zone');
    const { absent, included } = sums.overlap({ first_sequence, last_sequence });
    const head = {
      ...{ version: batch_version, batch_id, epoch, first_sequence, last_sequence },
      ...(absent.length === 0 ? {} : { absent }),
      ...(included.length === 0 ? {} : { included }),
    };
    const words = { sensors: sensors.words, regions: regions.words };
    const open = JSON.stringify({ ...head, ...words }).slice(0, -1);
    const text = `${open},"counts":${counts.text},"zones":${zones.text}}`;
    return { rows: counts.rows + zones.rows, body: gzipSync(text, { level: 1 }) };
  };
}

function select(kind: keyof typeof columns): string {
  const arrays = Object.entries(columns[kind]).map(([name, column]) => {
    return `json_group_array(${column}) AS "${name}"`;
  });
  return `SELECT count(*) AS rows, ${arrays.join(', ')} FROM (
    SELECT * FROM readings WHERE sequence BETWEEN ? AND ? AND region IS ${kind === 'count' ? 'NULL' : 'NOT NULL'}
    ORDER BY sequence)`;
}

/** Words in order of first use, each once: the log knows them by its own numbers. */
class Dictionary {
  readonly words: string[] = [];
  readonly #wordOf: (number: number) => string;
  readonly #places = new Map<number, number>();

  constructor(wordOf: (number: number) => string) {
    this.#wordOf = wordOf;
  }

  /** JSON of the log's numbers → JSON of their places in {@link words}. */
  places(json: string): string {
    return JSON.stringify((JSON.parse(json) as number[]).map((number) => this.#place(number)));
  }

  #place(number: number): number {
    const known = this.#places.get(number);
    if (known !== undefined) return known;
    this.#places.set(number, this.words.length);
    return this.words.push(this.#wordOf(number)) - 1;
  }
}
