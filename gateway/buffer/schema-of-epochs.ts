/**
 * The step to a buffer file that knows which process appended what and what its sums are made of, and that
 * holds what HQ may have of a life whose disk is gone; and its way back.
 */
import type { SchemaStep } from './schema-steps.ts';

/**
 * What there is, one process appended: that of the file's epoch. Where an older program has numbered the
 * rows anew meanwhile, which gave them another epoch, what was known of them is void.
 */
const up = `
CREATE TABLE IF NOT EXISTS epochs (first_sequence INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sums (sequence INTEGER PRIMARY KEY, parts BLOB NOT NULL) STRICT;
CREATE TABLE held (id INTEGER PRIMARY KEY, readings TEXT NOT NULL) STRICT;
DELETE FROM sums WHERE (SELECT epoch FROM life) NOT IN (SELECT epoch FROM epochs);
DELETE FROM epochs WHERE (SELECT epoch FROM life) NOT IN (SELECT epoch FROM epochs);
INSERT INTO epochs SELECT 1, epoch FROM life WHERE NOT EXISTS (SELECT 1 FROM epochs);
ALTER TABLE life DROP is_ledger_marked;
ALTER TABLE losses DROP marked;
`;

/**
 * An older program goes on in the newest epoch, which begins with its first reading. What is held is as good
 * as a reading to it.
 */
const down = `
INSERT OR REPLACE INTO epochs
  SELECT 1 + max(settled_sequence, coalesce((SELECT max(sequence) FROM readings), 0)), epoch
  FROM life WHERE epoch NOT IN (SELECT epoch FROM epochs);
INSERT OR IGNORE INTO words (word)
  SELECT each.value ->> 'sensor_id' FROM held, json_each(held.readings) AS each;
INSERT INTO readings (sequence, sensor, observed_at, interval_s, in_count, out_count, received_at, flags)
  SELECT max(settled_sequence, coalesce((SELECT max(sequence) FROM readings), 0)) +
      row_number() OVER (ORDER BY held.id, each.key),
    words.id, each.value ->> 'observed_at', each.value ->> 'interval_s', each.value ->> 'in',
    each.value ->> 'out', each.value ->> 'received_at', each.value ->> 'flags'
  FROM life, held, json_each(held.readings) AS each JOIN words ON word = each.value ->> 'sensor_id';
DROP TABLE held;
ALTER TABLE life ADD is_ledger_marked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE losses ADD marked INTEGER NOT NULL DEFAULT 0;
`;

export const epochs: SchemaStep = { up, down };
