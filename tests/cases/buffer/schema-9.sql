-- As the program of schema 9 left its file: that of schema 8, with what three minutes of its own added.
CREATE TABLE batches (
  batch_id TEXT PRIMARY KEY,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL
, is_settled INTEGER NOT NULL DEFAULT 0, holes INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO batches VALUES
  ('019ff000-0000-4000-8000-100000000012', 51, 60, 1, 0),
  ('019ff000-0000-4000-8000-100000000013', 31, 38, 0, 0);
CREATE TABLE epochs (first_sequence INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
INSERT INTO epochs VALUES
  (1, '019ff000-0000-4000-8000-000000000007');
CREATE TABLE held (id INTEGER PRIMARY KEY, readings TEXT NOT NULL) STRICT;
CREATE TABLE life (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  settled_sequence INTEGER NOT NULL
, gateway_id TEXT, first_sequence INTEGER NOT NULL DEFAULT 1, merged INTEGER NOT NULL DEFAULT 0, coalesced INTEGER NOT NULL DEFAULT 0, coalesced_sequence INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO life VALUES
  (1, '019ff000-0000-4000-8000-000000000007', 1767225600000, 30, '019ff000-0000-4000-8000-200000000001', 1, 35, 35, 112);
CREATE TABLE losses (
  epoch TEXT NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  told INTEGER NOT NULL DEFAULT 0,
  moved INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (epoch, source, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO losses VALUES
  ('019ff000-0000-4000-8000-000000000007', 'hq', 'reading_conflict', 1, 1, 0, 1767230600000),
  ('019ff000-0000-4000-8000-000000000007', 'sensors', 'unknown_address', 6, 6, 0, 1767227641000);
CREATE TABLE meters (
  sensor INTEGER PRIMARY KEY,
  device INTEGER,
  start_second INTEGER,
  since REAL,
  numbers TEXT,
  rest TEXT
) STRICT;
INSERT INTO meters VALUES
  (1, NULL, 1767225600, 60000, '[118,60000,40,60000]', NULL),
  (2, NULL, NULL, NULL, NULL, '{"total":118}');
CREATE TABLE offered (
  first_sequence INTEGER PRIMARY KEY,
  last_sequence INTEGER NOT NULL
) STRICT;
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
INSERT INTO quarantine VALUES
  (1, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767225661000, 7, x'7b2261223a317d'),
  (2, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767226021000, 7, x'7b2261223a317d'),
  (3, 'hq', 'back-door', 'reading_conflict', 'another value', 1767230600000, 150, x'7b226b696e64223a22636f756e74222c2273657175656e6365223a352c2273656e736f725f6964223a226261636b2d646f6f72222c226f627365727665645f6174223a313736373232353636303030302c22696e74657276616c5f73223a36302c2272656365697665645f6174223a313736373232353732313030302c22666c616773223a302c22696e223a362c226f7574223a327d'),
  (4, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767226441000, 7, x'7b2261223a317d'),
  (5, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767226861000, 7, x'7b2261223a317d'),
  (6, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767227221000, 7, x'7b2261223a317d'),
  (7, 'sensors', 'counters/x', 'unknown_address', 'no sensor', 1767227641000, 7, x'7b2261223a317d');
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
, dwell_max_s REAL) STRICT;
INSERT INTO readings VALUES
  (1, 1, NULL, 1767225600000, 60, 0, 0, NULL, NULL, 1767225661000, 32, NULL, NULL),
  (2, 2, NULL, 1767225600000, 60, 7, 5, NULL, NULL, 1767225661000, 0, '"m1"', NULL),
  (3, 3, 4, 1767225600000, 60, NULL, NULL, 2, NULL, 1767225661000, 0, '"m2"', NULL),
  (4, 1, NULL, 1767225660000, 60, 10, 3, NULL, NULL, 1767225721000, 0, '"m3"', NULL),
  (5, 2, NULL, 1767225660000, 60, 6, 2, NULL, NULL, 1767225721000, 0, NULL, NULL),
  (6, 3, 5, 1767225660000, 60, NULL, NULL, 1, NULL, 1767225721000, 32, '"m5"', NULL),
  (7, 1, NULL, 1767225720000, 60, 9, 0, NULL, NULL, 1767225781000, 0, '"m6"', NULL),
  (8, 2, NULL, 1767225720000, 60, 5, 5, NULL, NULL, 1767225781000, 0, '"m7"', NULL),
  (9, 3, 4, 1767225720000, 60, NULL, NULL, 0, NULL, 1767225781000, 0, NULL, NULL),
  (10, 1, NULL, 1767225780000, 60, 8, 3, NULL, NULL, 1767225841000, 0, '"m9"', NULL),
  (11, 2, NULL, 1767225780000, 60, 4, 2, NULL, NULL, 1767225841000, 32, '"m10"', NULL),
  (12, 3, 5, 1767225780000, 60, NULL, NULL, 3, NULL, 1767225841000, 0, '"m11"', NULL),
  (13, 1, NULL, 1767225840000, 60, 7, 0, NULL, NULL, 1767225901000, 0, NULL, NULL),
  (14, 2, NULL, 1767225840000, 60, 3, 5, NULL, NULL, 1767225901000, 0, '"m13"', NULL),
  (15, 3, 4, 1767225840000, 60, NULL, NULL, 2, 12.5, 1767225901000, 0, '"m14"', 53.5),
  (16, 1, NULL, 1767225900000, 60, 6, 3, NULL, NULL, 1767225961000, 32, '"m15"', NULL),
  (17, 2, NULL, 1767225900000, 60, 2, 2, NULL, NULL, 1767225961000, 0, NULL, NULL),
  (18, 3, 5, 1767225900000, 60, NULL, NULL, 1, NULL, 1767225961000, 0, '"m17"', NULL),
  (19, 1, NULL, 1767225960000, 60, 5, 0, NULL, NULL, 1767226021000, 0, '"m18"', NULL),
  (20, 2, NULL, 1767225960000, 60, 1, 5, NULL, NULL, 1767226021000, 0, '"m19"', NULL),
  (21, 3, 4, 1767225960000, 60, NULL, NULL, 0, NULL, 1767226021000, 32, NULL, NULL),
  (22, 1, NULL, 1767226020000, 60, 4, 3, NULL, NULL, 1767226081000, 0, '"m21"', NULL),
  (23, 2, NULL, 1767226020000, 60, 0, 2, NULL, NULL, 1767226081000, 0, '"m22"', NULL),
  (24, 3, 5, 1767226020000, 60, NULL, NULL, 3, NULL, 1767226081000, 0, '"m23"', NULL),
  (25, 1, NULL, 1767226080000, 60, 3, 0, NULL, NULL, 1767226141000, 0, NULL, NULL),
  (26, 2, NULL, 1767226080000, 60, 10, 5, NULL, NULL, 1767226141000, 32, '"m25"', NULL),
  (27, 3, 4, 1767226080000, 60, NULL, NULL, 2, NULL, 1767226141000, 0, '"m26"', NULL),
  (28, 1, NULL, 1767226140000, 60, 2, 3, NULL, NULL, 1767226201000, 0, '"m27"', NULL),
  (29, 2, NULL, 1767226140000, 60, 9, 2, NULL, NULL, 1767226201000, 0, NULL, NULL),
  (30, 3, 5, 1767226140000, 60, NULL, NULL, 1, NULL, 1767226201000, 0, '"m29"', NULL),
  (31, 1, NULL, 1767226200000, 60, 1, 0, NULL, NULL, 1767226261000, 32, '"m30"', NULL),
  (32, 2, NULL, 1767226200000, 60, 8, 5, NULL, NULL, 1767226261000, 0, '"m31"', NULL),
  (33, 3, 4, 1767226200000, 60, NULL, NULL, 0, NULL, 1767226261000, 0, NULL, NULL),
  (34, 1, NULL, 1767226260000, 60, 0, 3, NULL, NULL, 1767226321000, 0, '"m33"', NULL),
  (35, 2, NULL, 1767226260000, 60, 7, 2, NULL, NULL, 1767226321000, 0, '"m34"', NULL),
  (36, 3, 5, 1767226260000, 60, NULL, NULL, 3, 12.5, 1767226321000, 32, '"m35"', 53.5),
  (37, 1, NULL, 1767226320000, 60, 10, 0, NULL, NULL, 1767226381000, 0, NULL, NULL),
  (38, 2, NULL, 1767226320000, 60, 6, 5, NULL, NULL, 1767226381000, 0, '"m37"', NULL),
  (39, 3, 4, 1767226320000, 60, NULL, NULL, 2, NULL, 1767226381000, 0, '"m38"', NULL),
  (40, 1, NULL, 1767226380000, 120, 17, 3, NULL, NULL, 1767226501000, 64, NULL, NULL),
  (41, 2, NULL, 1767226380000, 120, 9, 7, NULL, NULL, 1767226501000, 96, NULL, NULL),
  (42, 3, 5, 1767226380000, 60, NULL, NULL, 1, NULL, 1767226441000, 0, '"m41"', NULL),
  (45, 3, 4, 1767226440000, 60, NULL, NULL, 0, NULL, 1767226501000, 0, NULL, NULL),
  (46, 1, NULL, 1767226500000, 120, 13, 3, NULL, NULL, 1767226621000, 96, NULL, NULL),
  (47, 2, NULL, 1767226500000, 120, 5, 7, NULL, NULL, 1767226621000, 64, NULL, NULL),
  (48, 3, 5, 1767226500000, 60, NULL, NULL, 3, NULL, 1767226561000, 0, '"m47"', NULL),
  (51, 3, 4, 1767226560000, 60, NULL, NULL, 2, NULL, 1767226621000, 32, '"m50"', NULL),
  (52, 1, NULL, 1767226620000, 60, 5, 3, NULL, NULL, 1767226681000, 0, '"m51"', NULL),
  (53, 2, NULL, 1767226620000, 60, 1, 2, NULL, NULL, 1767226681000, 0, NULL, NULL),
  (54, 3, 5, 1767226620000, 60, NULL, NULL, 1, NULL, 1767226681000, 0, '"m53"', NULL),
  (55, 1, NULL, 1767226680000, 60, 4, 0, NULL, NULL, 1767226741000, 0, '"m54"', NULL),
  (56, 2, NULL, 1767226680000, 60, 0, 5, NULL, NULL, 1767226741000, 32, '"m55"', NULL),
  (57, 3, 4, 1767226680000, 60, NULL, NULL, 0, 12.5, 1767226741000, 0, NULL, 53.5),
  (58, 1, NULL, 1767226740000, 60, 3, 3, NULL, NULL, 1767226801000, 0, '"m57"', NULL),
  (59, 2, NULL, 1767226740000, 60, 10, 2, NULL, NULL, 1767226801000, 0, '"m58"', NULL),
  (60, 3, 5, 1767226740000, 60, NULL, NULL, 3, NULL, 1767226801000, 0, '"m59"', NULL),
  (61, 1, NULL, 1767226800000, 600, 52, 15, NULL, NULL, 1767227401000, 96, NULL, NULL),
  (62, 2, NULL, 1767226800000, 600, 45, 35, NULL, NULL, 1767227401000, 96, NULL, NULL),
  (63, 3, 4, 1767226800000, 60, NULL, NULL, 2, NULL, 1767226861000, 0, '"m62"', NULL),
  (66, 3, 5, 1767226860000, 60, NULL, NULL, 1, NULL, 1767226921000, 32, '"m65"', NULL),
  (69, 3, 4, 1767226920000, 60, NULL, NULL, 0, NULL, 1767226981000, 0, NULL, NULL),
  (72, 3, 5, 1767226980000, 60, NULL, NULL, 3, NULL, 1767227041000, 0, '"m71"', NULL),
  (75, 3, 4, 1767227040000, 60, NULL, NULL, 2, NULL, 1767227101000, 0, '"m74"', NULL),
  (78, 3, 5, 1767227100000, 60, NULL, NULL, 1, 12.5, 1767227161000, 0, '"m77"', 53.5),
  (81, 3, 4, 1767227160000, 60, NULL, NULL, 0, NULL, 1767227221000, 32, NULL, NULL),
  (84, 3, 5, 1767227220000, 60, NULL, NULL, 3, NULL, 1767227281000, 0, '"m83"', NULL),
  (87, 3, 4, 1767227280000, 60, NULL, NULL, 2, NULL, 1767227341000, 0, '"m86"', NULL),
  (90, 3, 5, 1767227340000, 60, NULL, NULL, 1, NULL, 1767227401000, 0, '"m89"', NULL),
  (91, 1, NULL, 1767227400000, 480, 40, 12, NULL, NULL, 1767227881000, 96, NULL, NULL),
  (92, 2, NULL, 1767227400000, 420, 49, 26, NULL, NULL, 1767227821000, 96, NULL, NULL),
  (93, 3, 4, 1767227400000, 60, NULL, NULL, 0, NULL, 1767227461000, 0, NULL, NULL),
  (96, 3, 5, 1767227460000, 60, NULL, NULL, 3, NULL, 1767227521000, 32, '"m95"', NULL),
  (99, 3, 4, 1767227520000, 60, NULL, NULL, 2, 12.5, 1767227581000, 0, '"m98"', 53.5),
  (102, 3, 5, 1767227580000, 60, NULL, NULL, 1, NULL, 1767227641000, 0, '"m101"', NULL),
  (105, 3, 4, 1767227640000, 60, NULL, NULL, 0, NULL, 1767227701000, 0, NULL, NULL),
  (108, 3, 5, 1767227700000, 60, NULL, NULL, 3, NULL, 1767227761000, 0, '"m107"', NULL),
  (111, 3, 4, 1767227760000, 60, NULL, NULL, 2, NULL, 1767227821000, 32, '"m110"', NULL),
  (113, 2, NULL, 1767227820000, 60, 3, 2, NULL, NULL, 1767227881000, 0, NULL, NULL),
  (114, 3, 5, 1767227820000, 60, NULL, NULL, 1, NULL, 1767227881000, 0, '"m113"', NULL),
  (115, 1, NULL, 1767227880000, 60, 6, 0, NULL, NULL, 1767227941000, 0, '"m114"', NULL),
  (116, 2, NULL, 1767227880000, 60, 2, 5, NULL, NULL, 1767227941000, 32, '"m115"', NULL),
  (117, 3, 4, 1767227880000, 60, NULL, NULL, 0, NULL, 1767227941000, 0, NULL, NULL),
  (118, 1, NULL, 1767227940000, 60, 5, 3, NULL, NULL, 1767228001000, 0, '"m117"', NULL),
  (119, 2, NULL, 1767227940000, 60, 1, 2, NULL, NULL, 1767228001000, 0, '"m118"', NULL),
  (120, 3, 5, 1767227940000, 60, NULL, NULL, 3, 12.5, 1767228001000, 0, '"m119"', 53.5),
  (121, 1, NULL, 1767234000000, 60, 4, 0, NULL, NULL, 1767234060123, 0, 'CH3niauazA5rQ8Q4', NULL),
  (122, 2, NULL, 1767234000000, 60, 5, 1, NULL, NULL, 1767234060124, 0, NULL, NULL),
  (123, 1, NULL, 1767234060000, 60, 6, 2, NULL, NULL, 1767234120125, 0, '+87mYXIGnuYBCEdA', NULL),
  (124, 2, NULL, 1767234060000, 60, 7, 0, NULL, NULL, 1767234120126, 0, NULL, NULL),
  (125, 1, NULL, 1767234120000, 60, 8, 1, NULL, NULL, 1767234180127, 0, 'NllYBEM5yiRgaye6', NULL),
  (126, 2, NULL, 1767234120000, 60, 9, 2, NULL, NULL, 1767234180128, 0, NULL, NULL);
CREATE TABLE sums (sequence INTEGER PRIMARY KEY, parts BLOB NOT NULL) STRICT;
CREATE TABLE undated (
  id INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL,
  uptime_ms INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
INSERT INTO undated VALUES
  (1, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1000, '{"sensor_id":"front-door","n":0}'),
  (2, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1015, '{"sensor_id":"front-door","n":15}'),
  (3, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1030, '{"sensor_id":"front-door","n":30}'),
  (4, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1045, '{"sensor_id":"front-door","n":45}'),
  (5, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1060, '{"sensor_id":"front-door","n":60}'),
  (6, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1075, '{"sensor_id":"front-door","n":75}'),
  (7, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1090, '{"sensor_id":"front-door","n":90}'),
  (8, '0b5c1f8e-6d7e-4b0a-8d6f-0e6c4b7f6b11', 1105, '{"sensor_id":"front-door","n":105}');
CREATE TABLE ways_back (version INTEGER PRIMARY KEY, sql TEXT NOT NULL) STRICT;
INSERT INTO ways_back VALUES
  (2, '
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
  SELECT sequence, iif(region IS NULL, ''count'', ''zone''), s.word, r.word, observed_at, interval_s,
    in_count, out_count, occupancy, dwell_s, received_at, flags, dedupe_key
  FROM readings_with_numbers
  JOIN words AS s ON s.id = sensor
  LEFT JOIN words AS r ON r.id = region
  ORDER BY sequence;
DROP TABLE readings_with_numbers;
DROP TABLE words;
'),
  (3, '
DELETE FROM batches
WHERE is_settled = 1 OR first_sequence <> (SELECT settled_sequence + 1 FROM life);
ALTER TABLE batches DROP is_settled;
'),
  (4, '
ALTER TABLE life DROP gateway_id;
ALTER TABLE life DROP first_sequence;
'),
  (5, '-- undated stays as it is'),
  (6, '
DELETE FROM batches WHERE (SELECT merged FROM life) > 0;
UPDATE life SET first_sequence = 1 +
  (SELECT count(*) FROM readings WHERE sequence < (SELECT first_sequence FROM life))
WHERE merged > 0;
UPDATE readings SET sequence = -place FROM
  (SELECT sequence AS at, row_number() OVER (ORDER BY sequence) AS place FROM readings)
WHERE sequence = at AND (SELECT merged FROM life) > 0;
UPDATE readings SET sequence = -sequence WHERE sequence < 0;
UPDATE life SET settled_sequence = first_sequence - 1, epoch = lower(
  hex(randomblob(4)) || ''-'' || hex(randomblob(2)) || ''-4'' || substr(hex(randomblob(2)), 2) ||
  ''-8'' || substr(hex(randomblob(2)), 2) || ''-'' || hex(randomblob(6)))
WHERE merged > 0;
ALTER TABLE life DROP merged;
ALTER TABLE life DROP coalesced;
ALTER TABLE life DROP coalesced_sequence;
ALTER TABLE batches DROP holes;
DROP TABLE offered;
'),
  (7, '
CREATE TABLE longest_stays (
  sensor_id TEXT NOT NULL,
  observed_at INTEGER NOT NULL,
  dwell_max_s REAL NOT NULL
) STRICT;
INSERT INTO longest_stays
  SELECT word, observed_at, dwell_max_s FROM readings JOIN words ON words.id = sensor
  WHERE dwell_max_s IS NOT NULL;
ALTER TABLE readings DROP dwell_max_s;
'),
  (8, '
CREATE TABLE meters_as_text (sensor_id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meters_as_text
SELECT s.word, CASE WHEN start_second IS NULL THEN coalesce(rest, ''{}'') ELSE
  ''{"totals":{"in":'' || CASE WHEN numbers ->> 0 IS NULL THEN ''null'' ELSE
    ''{"value":'' || (numbers -> 0) || '',"at":'' || (start_second * 1000 + (numbers ->> 1)) || '',"held":null}'' END ||
  '',"out":'' || CASE WHEN numbers ->> 2 IS NULL THEN ''null'' ELSE
    ''{"value":'' || (numbers -> 2) || '',"at":'' || (start_second * 1000 + (numbers ->> 3)) || '',"held":null}'' END ||
  ''},"since":'' || coalesce(start_second * 1000 + since, ''null'') ||
  '',"pending":{"in":'' || coalesce(numbers -> 4, 0) || '',"out":'' || coalesce(numbers -> 5, 0) ||
    '',"flags":'' || coalesce(numbers -> 6, 0) ||
  ''},"starts":{"second":'' || start_second || '',"in_second":'' || coalesce(numbers -> 7, 0) ||
    '',"displaced":'' || coalesce(numbers -> 8, 0) ||
  ''}'' || CASE WHEN d.word IS NULL THEN '''' ELSE '',"device":'' || json_quote(d.word) END ||
  coalesce('','' || substr(rest, 2), ''}'') END
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
'),
  (9, '
INSERT OR REPLACE INTO epochs
  SELECT 1 + max(settled_sequence, coalesce((SELECT max(sequence) FROM readings), 0)), epoch
  FROM life WHERE epoch NOT IN (SELECT epoch FROM epochs);
INSERT OR IGNORE INTO words (word)
  SELECT each.value ->> ''sensor_id'' FROM held, json_each(held.readings) AS each;
INSERT INTO readings (sequence, sensor, observed_at, interval_s, in_count, out_count, received_at, flags)
  SELECT max(settled_sequence, coalesce((SELECT max(sequence) FROM readings), 0)) +
      row_number() OVER (ORDER BY held.id, each.key),
    words.id, each.value ->> ''observed_at'', each.value ->> ''interval_s'', each.value ->> ''in'',
    each.value ->> ''out'', each.value ->> ''received_at'', each.value ->> ''flags''
  FROM life, held, json_each(held.readings) AS each JOIN words ON word = each.value ->> ''sensor_id'';
DROP TABLE held;
ALTER TABLE life ADD is_ledger_marked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE losses ADD marked INTEGER NOT NULL DEFAULT 0;
');
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO words VALUES
  (1, 'front-door'),
  (2, 'back-door'),
  (3, 'cam'),
  (4, 'aisle'),
  (5, 'till');
PRAGMA user_version = 9;
