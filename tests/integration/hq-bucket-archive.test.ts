import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBucket } from '../../cloud-sync/retention/bucket.ts';
import { fetchArchive } from '../../cloud-sync/retention/bucket-archive.ts';
import { restoreMonth, runRetention } from '../../cloud-sync/retention/retention.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { FootbridgeError } from '../../shared/runtime/errors.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { anyEngine, openTestDatabase } from '../support/postgres.ts';
import type { S3Server } from '../support/s3-server.ts';
import { openS3Server } from '../support/s3-server.ts';

const month = '2020-03';
const address = 's3://cold/acme';

describe('an archive in a bucket', () => {
  let hq: TestDatabase;
  let s3: S3Server;
  let folder: string;
  beforeAll(async () => {
    hq = await openTestDatabase(anyEngine);
    folder = await mkdtemp(path.join(tmpdir(), 'footbridge-bucket-'));
    await hq.asOwner('select app.open_month($1, $2)', ['people_counting_raw', `${month}-01`]);
    for (const store of [await addTestStore(hq), await addTestStore(hq)]) {
      await hq.asOwner(
        `insert into people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
           sensor_id, in_count, interval_s, gateway_sequence, received_at)
         select $1, $2, $2, ($3 || '-01')::timestamp at time zone 'UTC' + i * interval '60 s',
           'door', i, 60, i, now() from generate_series(1, 3000) i`,
        [store.organization.id, store.store_id, month],
      );
    }
  });
  beforeEach(async () => {
    s3 = await openS3Server('cold');
    return () => s3.close();
  });
  afterAll(async () => {
    await hq.close();
    await rm(folder, { recursive: true });
  });

  const rows = () => hq.asOwner('select r::text from people_counting_raw r order by 1');
  const run = (settings = s3.settings) =>
    runRetention(hq.db, {
      archive_dir: path.join(folder, 'passing'),
      bucket: openBucket(address, settings),
      clock: systemClock,
    });
  const restored = async (archive: string) => {
    const directory = path.join(folder, 'restored');
    await fetchArchive(openBucket(archive, s3.settings), directory);
    return restoreMonth(hq.db, directory);
  };

  it('takes a month, manifest last, is read back, and gives the month as it was', async () => {
    const before = await rows();
    const { archived } = await run();
    expect(archived).toMatchObject([
      { archive: `${address}/people_counting_raw/${month}`, rows: 6_000, dropped: true },
    ]);
    const manifest = `/cold/acme/people_counting_raw/${month}/manifest.json`;
    const puts = s3.asked.filter((line) => line.startsWith('PUT'));
    expect(puts).toHaveLength(3);
    expect(puts.at(-1)).toBe(`PUT ${manifest}`);
    const gets = s3.asked.slice(s3.asked.lastIndexOf(`PUT ${manifest}`) + 1);
    expect(gets.toSorted()).toEqual(puts.map((line) => line.replace('PUT', 'GET')).sort());
    expect(await readdir(path.join(folder, 'passing/people_counting_raw'))).toEqual([]);
    expect(await rows()).toEqual([]);
    expect(await restored(archived[0]?.archive ?? '')).toMatchObject({ restored: 6_000 });
    expect(await rows()).toEqual(before);
  });

  it('stands beside the archive that the bucket has of this month', async () => {
    const first = (await run()).archived[0]?.archive ?? '';
    await restored(first);
    const second = (await run()).archived[0]?.archive ?? '';
    expect(second).toBe(`${first}.2`);
    expect(await restored(second)).toMatchObject({ restored: 6_000 });
  });

  it.each([
    ['on the way in', 'a file', /PUT .*ndjson\.gz$/, 'archive_unreachable'],
    ['on the way in', 'the manifest', /PUT .*manifest\.json$/, 'archive_unreachable'],
    ['in the store', 'a file', /GET .*ndjson\.gz$/, 'archive_damaged'],
    ['in the store', 'the manifest', /GET .*manifest\.json$/, 'archive_damaged'],
  ])('drops nothing when %s one byte of %s changes', async (_where, _what, pattern, code) => {
    const before = await rows();
    s3.bend(pattern);
    await expect(run()).rejects.toMatchObject({ code });
    expect(await rows()).toEqual(before);
  });

  it('starts again where sending broke off before the manifest', async () => {
    s3.bend(/PUT .*manifest/);
    await expect(run()).rejects.toThrow();
    s3.bend(undefined);
    const { archived } = await run();
    expect(archived).toMatchObject([{ dropped: true }]);
    expect(await restored(archived[0]?.archive ?? '')).toMatchObject({ restored: 6_000 });
  });

  it('drops nothing when there is no such bucket, the key is wrong or nobody answers', async () => {
    const before = await rows();
    const failing = async (settings: object, place = address) => {
      const bucket = openBucket(place, { ...s3.settings, ...settings });
      const running = runRetention(hq.db, { archive_dir: folder, bucket, clock: systemClock });
      return running.then(
        () => 'nothing',
        (error: FootbridgeError) => `${error.code}: ${error.detail}`,
      );
    };
    const gone = /^archive_unreachable: PUT .* 404 NoSuchBucket$/;
    expect(await failing({}, 's3://nowhere')).toMatch(gone);
    const wrong = /^archive_unreachable: .* 403/;
    expect(await failing({ secret_access_key: 'wrong' })).toMatch(wrong);
    expect(await failing({ endpoint: 'http://127.0.0.1:1' })).toMatch(/^archive_unreachable: HEAD/);
    expect(await rows()).toEqual(before);
  });

  it('is refused by name without a bucket or without keys', () => {
    expect(() => openBucket('s3://Cold Store', s3.settings)).toThrowError(
      expect.objectContaining({ detail: expect.stringContaining('no bucket') }),
    );
    expect(() => openBucket(address, null)).toThrowError(
      expect.objectContaining({ detail: expect.stringContaining('AWS_ACCESS_KEY_ID') }),
    );
  });
});
