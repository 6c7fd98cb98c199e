/** What a tortured gateway's buffer file holds, read from a copy of its disk and without its code. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { unpackParts } from '../../gateway/buffer/sum-parts.ts';

/** What a reading speaks of; times in ms since the epoch. */
export interface Span {
  readonly sensor_id: string;
  readonly observed_at: number;
  readonly interval_s: number;
}

/** A reading as it was appended, whether it stands in a sum now or alone. */
export interface Appended extends Span {
  readonly sequence: number;
}

/** A reading in quarantine. */
export interface Quarantined {
  readonly id: number;
  readonly sensor_id: string;
  readonly reason: string;
  readonly people: number;
}

export interface BufferContents {
  /** The highest sequence that was given out. */
  readonly newest: number;
  /** Oldest first; each ends where the next begins. */
  readonly epochs: readonly { readonly epoch: string; readonly first_sequence: number }[];
  readonly readings: readonly Appended[];
  /** Readings that were added to others so far. */
  readonly coalesced: number;
  /** Records that wait for the clock to be set. */
  readonly undated: readonly Span[];
  readonly quarantined: readonly Quarantined[];
}

/** @param disk the folder of a data directory; it is not touched, for SQLite tidies what it opens. */
export function bufferContents(disk: string): BufferContents {
  const copy = mkdtempSync(join(tmpdir(), 'footbridge-looked-at-'));
  cpSync(disk, copy, { recursive: true });
  const database = new Database(join(copy, 'buffer.sqlite'));
  const all = <T>(sql: string) => database.prepare(sql).all() as T[];
  try {
    const [life] = all<{ sequence: number; coalesced: number }>(
      `SELECT max(settled_sequence, coalesce((SELECT max(sequence) FROM readings), 0),
         coalesce((SELECT max(first_sequence) - 1 FROM epochs), 0)) AS sequence, coalesced FROM life`,
    );
    return {
      newest: life?.sequence ?? 0,
      coalesced: life?.coalesced ?? 0,
      epochs: all('SELECT epoch, first_sequence FROM epochs ORDER BY first_sequence'),
      readings: partsOf(
        all(
          `SELECT sequence, word AS sensor_id, observed_at, interval_s, parts FROM readings
           JOIN words ON words.id = sensor LEFT JOIN sums USING (sequence)`,
        ),
      ),
      undated: all<{ record: string }>('SELECT record FROM undated').map(undatedSpan),
      quarantined: all<Omit<Quarantined, 'people'> & { bytes: Buffer }>(
        'SELECT id, address AS sensor_id, reason, bytes FROM quarantine',
      ).map(({ bytes, ...one }) => ({ ...one, people: peopleOf(bytes) })),
    };
  } finally {
    database.close();
    rmSync(copy, { recursive: true });
  }
}

function partsOf(rows: readonly (Appended & { parts: Buffer | null })[]): Appended[] {
  return rows.flatMap(({ parts, ...row }) =>
    parts === null
      ? [row]
      : unpackParts(parts).map(({ sequence, observed_at, interval_s }) => {
          return { sensor_id: row.sensor_id, sequence, observed_at, interval_s };
        }),
  );
}

/** What came before the clock was set says itself when it was. */
function undatedSpan({ record: text }: { record: string }): Span {
  const { metered, record } = JSON.parse(text) as {
    metered: { sensor_id: string };
    record: { device: { from: number | null; to: number | null } };
  };
  const { from, to } = record.device;
  const [start, end] = [from ?? 0, to ?? from ?? 0];
  const { sensor_id } = metered;
  return { sensor_id, observed_at: start, interval_s: (end - start) / 1000 };
}

function peopleOf(bytes: Buffer): number {
  const text = bytes.toString();
  return text.startsWith('{') ? Number((JSON.parse(text) as { in?: number }).in ?? 0) : 0;
}
