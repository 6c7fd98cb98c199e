/**
 * The buffer file's schema, as the steps that lead to it. `user_version` says how many a file has
 * behind it; a new file takes them all, an older one the rest, in one transaction. A step that has
 * been released is never changed.
 *
 * `readings` is an append-only log whose rowid is the sequence. It has no secondary index: with one
 * on (sensor, time), 50 rows a commit wrote 4,853 bytes each instead of 279 (measured on ext4), and
 * store hardware lives on SD cards.
 */

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

/** Lanes overtake each other, so a settled batch stays until everything before it is settled. */
const lanes = 'ALTER TABLE batches ADD is_settled INTEGER NOT NULL DEFAULT 0';

/** Under which gateway the log is delivered, and from where on: a move to another store moves nothing. */
const owner = `
ALTER TABLE life ADD gateway_id TEXT;
ALTER TABLE life ADD first_sequence INTEGER NOT NULL DEFAULT 1;
`;

/** What came before the clock was set has no place in the log yet, whose rows go to HQ. */
const undated = `
CREATE TABLE undated (
  id INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL,
  uptime_ms INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
`;

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

export const schemaSteps: readonly string[] = [first, words, lanes, owner, undated, quota];
