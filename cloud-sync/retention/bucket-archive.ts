/**
 * Archives in a bucket: the same files under the same names as in a directory. The manifest is sent
 * last, so an archive whose sending broke off is none; then everything is read back.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Manifest } from './archive.ts';
import { manifest_name, readManifest } from './archive.ts';
import type { Bucket } from './bucket.ts';

/**
 * Sends a finished archive and reads it back.
 *
 * @returns its address, `s3://bucket/prefix/people_counting_raw/2026-07`.
 * @throws archive_unreachable, archive_damaged when what comes back differs from what was sent
 */
export async function sendArchive(
  bucket: Bucket,
  directory: string,
  manifest: Manifest,
): Promise<string> {
  const name = await freeName(bucket, `${manifest.relation}/${manifest.month}`);
  for (const { file, bytes, sha256 } of manifest.files) {
    await bucket.put(`${name}/${file}`, { path: path.join(directory, file), bytes, sha256 });
  }
  const list = await describeFile(path.join(directory, manifest_name));
  await bucket.put(`${name}/${manifest_name}`, list);
  for (const file of [...manifest.files, { file: manifest_name, ...list }]) {
    await receive(bucket, `${name}/${file.file}`, file.sha256, nowhere());
  }
  return `${bucket.name}/${name}`;
}

/**
 * Brings an archive into a directory that is made for it; its files are checked as they come.
 *
 * @param bucket opened at the archive's own address.
 * @throws archive_unreachable, archive_damaged
 */
export async function fetchArchive(bucket: Bucket, directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const target = (file: string) => createWriteStream(path.join(directory, file), { mode: 0o600 });
  await receive(bucket, manifest_name, undefined, target(manifest_name));
  const { files } = await readManifest(directory);
  for (const { file, sha256 } of files) await receive(bucket, file, sha256, target(file));
}

/** As for directories: 2026-07, then 2026-07.2. Without a manifest there is no archive. */
async function freeName(bucket: Bucket, month: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? month : `${month}.${n}`;
    if (!(await bucket.has(`${name}/${manifest_name}`))) return name;
  }
}

async function receive(
  bucket: Bucket,
  key: string,
  sha256: string | undefined,
  target: Writable,
): Promise<void> {
  const hash = createHash('sha256');
  const source = await bucket.get(key);
  const damaged = (cause: unknown) =>
    new FootbridgeError('archive_damaged', `${bucket.name}/${key}: ${errorText(cause)}`, { cause });
  if (source === undefined) throw damaged(new Error('it is not there'));
  try {
    await pipeline(source, measuredBy(hash), target);
  } catch (cause) {
    throw damaged(cause);
  }
  if (sha256 !== undefined && hash.digest('hex') !== sha256) {
    throw damaged(new Error('the checksum differs'));
  }
}

function measuredBy(hash: ReturnType<typeof createHash>) {
  return async function* measured(source: Readable): AsyncIterable<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

async function describeFile(file: string) {
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  return { path: file, bytes: (await stat(file)).size, sha256 };
}
