/**
 * A month of a raw table as files: gzipped NDJSON, one file a tenant, and a manifest with their
 * checksums. A directory appears under its name when everything in it is written and read back.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

const manifestSchema = z.object({
  relation: z.enum(['people_counting_raw', 'regional_counting_raw']),
  month: z.string().regex(/^\d{4}-\d{2}$/),
  created_at: z.iso.datetime(),
  rows: z.int().nonnegative(),
  files: z.array(
    z.object({
      file: z.string().regex(/^[0-9a-f-]{36}\.ndjson\.gz$/),
      organization_id: z.uuid(),
      rows: z.int().positive(),
      bytes: z.int().positive(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type RawRelation = Manifest['relation'];
type ArchivedFile = Manifest['files'][number];

/** The file that makes a directory an archive. */
export const manifest_name = 'manifest.json';

/** Writes what `rowsOf` gives for each organization. @throws archive_damaged when it reads back otherwise. */
export async function writeArchive(
  root: string,
  about: Pick<Manifest, 'relation' | 'month' | 'created_at'>,
  organizations: readonly string[],
  rowsOf: (organization_id: string) => AsyncIterable<string>,
): Promise<{ directory: string; manifest: Manifest }> {
  const parent = path.join(root, about.relation);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const directory = path.join(parent, await freeName(parent, about.month));
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { mode: 0o700 });
  const files: ArchivedFile[] = [];
  for (const organization_id of organizations) {
    const file = await writeFileOf(partial, organization_id, rowsOf(organization_id));
    if (file !== undefined) files.push(file);
  }
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const manifest: Manifest = { ...about, rows, files };
  await writeFile(path.join(partial, manifest_name), JSON.stringify(manifest, null, 2), {
    flush: true,
  });
  for (const file of files) for await (const _ of readRows(partial, file));
  await syncDirectory(partial);
  await rename(partial, directory);
  await syncDirectory(parent);
  return { directory, manifest };
}

/** A month may be archived again after a restore: 2026-07, then 2026-07.2. */
async function freeName(parent: string, month: string): Promise<string> {
  const taken = await readdir(parent);
  for (let n = 1; ; n++) {
    const name = n === 1 ? month : `${month}.${n}`;
    if (!taken.includes(name)) return name;
  }
}

async function writeFileOf(
  directory: string,
  organization_id: string,
  rows: AsyncIterable<string>,
): Promise<ArchivedFile | undefined> {
  const file = `${organization_id}.ndjson.gz`;
  const target = path.join(directory, file);
  const hash = createHash('sha256');
  let count = 0;
  let bytes = 0;
  await pipeline(
    Readable.from(rows),
    async function* lines(source: AsyncIterable<string>) {
      for await (const row of source) {
        count++;
        yield `${row}\n`;
      }
    },
    createGzip(),
    async function* measured(source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(target, { flush: true, mode: 0o600 }),
  );
  if (count === 0) {
    await rm(target);
    return undefined;
  }
  return { file, organization_id, rows: count, bytes, sha256: hash.digest('hex') };
}

/** @throws archive_damaged */
export async function readManifest(directory: string): Promise<Manifest> {
  const file = path.join(directory, manifest_name);
  try {
    return manifestSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new FootbridgeError('archive_damaged', `${file}: ${errorText(cause)}`, { cause });
  }
}

/** Rows as JSON, once the whole file has its checksum. @throws archive_damaged */
export async function* readRows(directory: string, file: ArchivedFile): AsyncIterable<string> {
  const source = path.join(directory, file.file);
  const hash = createHash('sha256');
  let count = 0;
  try {
    await pipeline(createReadStream(source), hash);
    if (hash.digest('hex') !== file.sha256) throw new Error('the checksum differs');
    const unzipped = createReadStream(source).pipe(createGunzip());
    for await (const line of createInterface({ input: unzipped })) {
      count++;
      yield line;
    }
    if (count !== file.rows) throw new Error(`${count} rows instead of ${file.rows}`);
  } catch (cause) {
    throw new FootbridgeError('archive_damaged', `${source}: ${errorText(cause)}`, { cause });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync();
  await handle.close();
}
