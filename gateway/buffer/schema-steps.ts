/**
 * The buffer file's schema, as the steps that lead to it. `user_version` says how many a file has
 * behind it; a new file takes them all, an older one the rest, in one transaction. A step that has
 * been released is never changed.
 *
 * Each step has its way back, which stands in the file for older programs (`schema-version.ts`). It is
 * SQL alone, of the functions that SQLite has itself, and loses no reading, no meter and no key: what
 * the older schema has no place for stays in a table that older programs do not look at, and the step
 * finds it again.
 *
 * `readings` is an append-only log whose rowid is the sequence. It has no secondary index: with one
 * on (sensor, time), 50 rows a commit wrote 4,853 bytes each instead of 279 (measured on ext4), and
 * store hardware lives on SD cards.
 */

import { epochs } from './schema-of-epochs.ts';
import { numbers } from './schema-of-numbers.ts';
import { shortRows } from './schema-of-short-rows.ts';

export interface SchemaStep {
  /** From the version before to this one. */
  readonly up: string;
  /** From this one to the version before. */
  readonly down: string;
}

const first = `
CREATE TABLE life (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  settled_sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE readings (
  sequence INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  sensor_id TEXT NOT NULL,
  region_id TEXT,
  observed_at INTEGER NOT NULL,
  interval_s REAL NOT NULL,
  in_count INTEGER,
  out_count INTEGER,
  occupancy INTEGER,
  dwell_s REAL,
  received_at INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  dedupe_key TEXT
) STRICT;
CREATE TABLE meters (sensor_id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
  batch_id TEXT PRIMARY KEY,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  length INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TABLE quarantine_totals (
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (source, reason)
) STRICT, WITHOUT ROWID;
`;

/** Rows name sensors and regions by number: a row of a minute count went from 110 bytes to 60. */
const words = `
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO words (word)
  SELECT sensor_id FROM readings UNION SELECT region_id FROM readings WHERE region_id IS NOT NULL;
ALTER TABLE readings RENAME TO readings_with_names;
CREATE TABLE readings (
  sequence INTEGER PRIMARY KEY,
  sensor INTEGER NOT NULL,
  region INTEGER,
  observed_at INTEGER NOT NULL,
  interval_s REAL NOT NULL,
  in_count INTEGER,
  out_count INTEGER,
  occupancy INTEGER,
  dwell_s REAL,
  received_at INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  dedupe_key TEXT
) STRICT;
INSERT INTO readings
  SELECT sequence, s.id, r.id, observed_at, interval_s, in_count, out_count, occupancy, dwell_s,
    received_at, flags, dedupe_key
  FROM readings_with_names
  JOIN words AS s ON s.word = sensor_id
  LEFT JOIN words AS r ON r.word = region_id
  ORDER BY sequence;
DROP TABLE readings_with_names;
`;

const names = `
ALTER TABLE readings RENAME TO readings_with_numbers;
CREATE TABLE readings (
  sequence INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  sensor_id TEXT NOT NULL,
  region_id TEXT,
  observed_at INTEGER NOT NULL,
  interval_s REAL NOT NULL,
  in_count INTEGER,
  out_count INTEGER,
  occupancy INTEGER,
  dwell_s REAL,
  received_at INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  dedupe_key TEXT
) STRICT;
INSERT INTO readings
  SELECT sequence, iif(region IS NULL, 'count', 'zone'), s.word, r.word, observed_at, interval_s,
    in_count, out_count, occupancy, dwell_s, received_at, flags, dedupe_key
  FROM readings_with_numbers
  JOIN words AS s ON s.id = sensor
  LEFT JOIN words AS r ON r.id = region
  ORDER BY sequence;
DROP TABLE readings_with_numbers;
DROP TABLE words;
`;

/** Lanes overtake each other, so a settled batch stays until everything before it is settled. */
const lanes = 'ALTER TABLE batches ADD is_settled INTEGER NOT NULL DEFAULT 0';

/**
 * A program with one lane takes the end of any batch for the mark: of several, those after the first
 * would carry it over readings between them. What they held goes out once more.
 */
const oneLane = `
DELETE FROM batches
WHERE is_settled = 1 OR first_sequence <> (SELECT settled_sequence + 1 FROM life);
ALTER TABLE batches DROP is_settled;
`;

/** Under which gateway the log is delivered, and from where on: a move to another store moves nothing. */
const owner = `
ALTER TABLE life ADD gateway_id TEXT;
ALTER TABLE life ADD first_sequence INTEGER NOT NULL DEFAULT 1;
`;

const noOwner = `
ALTER TABLE life DROP gateway_id;
ALTER TABLE life DROP first_sequence;
`;

/** What came before the clock was set has no place in the log yet, whose rows go to HQ. */
const undated = `
CREATE TABLE IF NOT EXISTS undated (
  id INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL,
  uptime_ms INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
`;

/** What has no time yet waits for a program that can date it. */
const undatedStay = '-- undated stays as it is';

/**
 * Readings may be added together while none of them can have been sent. What an older program may have
 * sent and given up is not known, so nothing that it stored is touched. `merged` counts the sequences
 * HQ has not settled that have no row of their own any more, `holes` those of a batch.
 */
const quota = `
ALTER TABLE life ADD merged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE life ADD coalesced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE life ADD coalesced_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD holes INTEGER NOT NULL DEFAULT 0;
CREATE TABLE offered (
  first_sequence INTEGER PRIMARY KEY,
  last_sequence INTEGER NOT NULL
) STRICT;
INSERT INTO offered SELECT 1, max(sequence) FROM readings HAVING max(sequence) IS NOT NULL;
`;

/**
 * Sequences without a row are unknown to older programs. Where there are any, the rows that are left are
 * numbered anew in another epoch, as those of a file from an image are: all that this gateway may
 * send goes out once more, and HQ knows a reading by its sensor and its time.
 */
const noHoles = `
DELETE FROM batches WHERE (SELECT merged FROM life) > 0;
UPDATE life SET first_sequence = 1 +
  (SELECT count(*) FROM readings WHERE sequence < (SELECT first_sequence FROM life))
WHERE merged > 0;
UPDATE readings SET sequence = -place FROM
  (SELECT sequence AS at, row_number() OVER (ORDER BY sequence) AS place FROM readings)
WHERE sequence = at AND (SELECT merged FROM life) > 0;
UPDATE readings SET sequence = -sequence WHERE sequence < 0;
UPDATE life SET settled_sequence = first_sequence - 1, epoch = lower(
  hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) ||
  '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
WHERE merged > 0;
ALTER TABLE life DROP merged;
ALTER TABLE life DROP coalesced;
ALTER TABLE life DROP coalesced_sequence;
ALTER TABLE batches DROP holes;
DROP TABLE offered;
`;

/**
 * The longest stay in a zone, beside the mean. Kept for an older program by the reading's name, since
 * that may number sequences and words anew.
 */
const longestStay = `
CREATE TABLE IF NOT EXISTS longest_stays (
  sensor_id TEXT NOT NULL,
  observed_at INTEGER NOT NULL,
  dwell_max_s REAL NOT NULL
) STRICT;
ALTER TABLE readings ADD dwell_max_s REAL;
UPDATE readings SET dwell_max_s = kept.dwell_max_s
FROM longest_stays AS kept JOIN words ON word = sensor_id
WHERE sensor = words.id AND readings.observed_at = kept.observed_at AND region IS NOT NULL;
DROP TABLE longest_stays;
`;

const longestStayKept = `
CREATE TABLE longest_stays (
  sensor_id TEXT NOT NULL,
  observed_at INTEGER NOT NULL,
  dwell_max_s REAL NOT NULL
) STRICT;
INSERT INTO longest_stays
  SELECT word, observed_at, dwell_max_s FROM readings JOIN words ON words.id = sensor
  WHERE dwell_max_s IS NOT NULL;
ALTER TABLE readings DROP dwell_max_s;
`;

export const schemaSteps: readonly SchemaStep[] = [
  { up: first, down: '' },
  { up: words, down: names },
  { up: lanes, down: oneLane },
  { up: owner, down: noOwner },
  { up: undated, down: undatedStay },
  { up: quota, down: noHoles },
  { up: longestStay, down: longestStayKept },
  numbers,
  epochs,
  shortRows,
];
