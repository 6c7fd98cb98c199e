/**
 * The step to a buffer file that costs the flash less than half for each reading, and its way back.
 */
import type { SchemaStep } from './schema-steps.ts';

/**
 * Meters as numbers: those of fifty sensors are one page of a commit, where JSON took seven. What an older
 * program wrote stays in `rest` until the meter moves. What could not be used is counted by the epoch in
 * which it came, so that HQ never adds one twice (ledger.ts).
 */
const up = `
ALTER TABLE meters RENAME TO meters_as_text;
INSERT OR IGNORE INTO words (word) SELECT sensor_id FROM meters_as_text;
CREATE TABLE meters (
  sensor INTEGER PRIMARY KEY,
  device INTEGER,
  start_second INTEGER,
  since REAL,
  numbers TEXT,
  rest TEXT
) STRICT;
INSERT INTO meters (sensor, rest) SELECT id, state FROM meters_as_text JOIN words ON word = sensor_id;
DROP TABLE meters_as_text;
CREATE TABLE IF NOT EXISTS losses (
  epoch TEXT NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  told INTEGER NOT NULL DEFAULT 0,
  marked INTEGER NOT NULL DEFAULT 0,
  moved INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (epoch, source, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO losses (epoch, source, reason, count, last_at)
  SELECT epoch, source, reason, news, last_at FROM life, (
    SELECT *, count - coalesce((SELECT sum(count) FROM losses AS l
      WHERE l.source = t.source AND l.reason = t.reason), 0) AS news
    FROM quarantine_totals AS t)
  WHERE news > 0
  ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at;
DROP TABLE quarantine_totals;
ALTER TABLE life ADD is_ledger_marked INTEGER NOT NULL DEFAULT 0;
`;

/** The ledger stays beside the totals that it began with. */
const down = `
CREATE TABLE meters_as_text (sensor_id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meters_as_text
SELECT s.word, CASE WHEN start_second IS NULL THEN coalesce(rest, '{}') ELSE
  '{"totals":{"in":' || CASE WHEN numbers ->> 0 IS NULL THEN 'null' ELSE
    '{"value":' || (numbers -> 0) || ',"at":' || (start_second * 1000 + (numbers ->> 1)) || ',"held":null}' END ||
  ',"out":' || CASE WHEN numbers ->> 2 IS NULL THEN 'null' ELSE
    '{"value":' || (numbers -> 2) || ',"at":' || (start_second * 1000 + (numbers ->> 3)) || ',"held":null}' END ||
  '},"since":' || coalesce(start_second * 1000 + since, 'null') ||
  ',"pending":{"in":' || coalesce(numbers -> 4, 0) || ',"out":' || coalesce(numbers -> 5, 0) ||
    ',"flags":' || coalesce(numbers -> 6, 0) ||
  '},"starts":{"second":' || start_second || ',"in_second":' || coalesce(numbers -> 7, 0) ||
    ',"displaced":' || coalesce(numbers -> 8, 0) ||
  '}' || CASE WHEN d.word IS NULL THEN '' ELSE ',"device":' || json_quote(d.word) END ||
  coalesce(',' || substr(rest, 2), '}') END
FROM meters JOIN words AS s ON s.id = sensor LEFT JOIN words AS d ON d.id = device;
DROP TABLE meters;
ALTER TABLE meters_as_text RENAME TO meters;
CREATE TABLE quarantine_totals (
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (source, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO quarantine_totals
  SELECT source, reason, sum(count), max(last_at) FROM losses GROUP BY source, reason;
ALTER TABLE life DROP is_ledger_marked;
`;

export const numbers: SchemaStep = { up, down };
