/**
 * Backups in a directory: one directory each, named by its time, with a manifest of checksums. One
 * appears under its name when everything in it is on disk.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

const fileSchema = z.object({
  /** Where it stood, relative; stored beside the manifest with `.gz` behind its name. */
  file: z.string().regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const manifestSchema = z.object({
  /** `cluster`: the files of the embedded server. `database`: what pg_dump wrote. */
  kind: z.enum(['cluster', 'database']),
  created_at: z.iso.datetime(),
  server_version: z.string(),
  directories: z.array(z.string().regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/)),
  files: z.array(fileSchema),
  /** Roles that a database refers to, which belong to its server, and whose members they are. */
  roles: z.array(
    z.object({
      name: z.string().regex(/^\w+$/),
      login: z.boolean(),
      inherit: z.boolean(),
      member_of: z.array(z.string().regex(/^\w+$/)),
    }),
  ),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type BackedUpFile = Manifest['files'][number];

const manifest_name = 'manifest.json';
const name_form = /^\d{8}T\d{6}Z$/;

/** @param fill writes the files of the backup and says what they are. @returns its directory. */
export async function makeBackup(
  root: string,
  created_at: Date,
  fill: (directory: string) => Promise<Omit<Manifest, 'created_at'>>,
): Promise<{ directory: string; bytes: number }> {
  const directory = path.join(root, created_at.toISOString().replace(/[-:]|\.\d+/g, ''));
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const manifest: Manifest = { ...(await fill(partial)), created_at: created_at.toISOString() };
  await syncFiles(partial);
  await writeFile(path.join(partial, manifest_name), JSON.stringify(manifest), {
    flush: true,
    mode: 0o600,
  });
  await syncDirectory(partial);
  await rename(partial, directory);
  await syncDirectory(root);
  return { directory, bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Backups that are whole, oldest first. */
export async function listBackups(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => name_form.test(name)).sort();
}

/** Removes all but the newest, and what killed runs left. @returns the names removed. */
export async function prune(root: string, keep: number): Promise<string[]> {
  const names = await listBackups(root);
  const old = names.slice(0, Math.max(0, names.length - keep));
  const partial = (await readdir(root)).filter((name) => name.endsWith('.partial'));
  for (const name of [...old, ...partial]) await rm(path.join(root, name), { recursive: true });
  return old;
}

/** @throws backup_damaged */
export async function readManifest(directory: string): Promise<Manifest> {
  const file = path.join(directory, manifest_name);
  try {
    return manifestSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new FootbridgeError('backup_damaged', `${file}: ${errorText(cause)}`, { cause });
  }
}

/** Compresses a stream into the backup. */
export async function pack(
  source: Readable,
  directory: string,
  file: string,
): Promise<BackedUpFile> {
  const target = path.join(directory, `${file}.gz`);
  await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(
    source,
    createGzip({ level: constants.Z_BEST_SPEED }),
    async function* measured(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(target, { mode: 0o600 }),
  );
  return { file, bytes, sha256: hash.digest('hex') };
}

/** Restores one file, once the whole of it has its checksum. @throws backup_damaged */
export async function unpack(
  directory: string,
  { file, sha256 }: BackedUpFile,
  target: string,
): Promise<void> {
  const source = path.join(directory, `${file}.gz`);
  try {
    const hash = createHash('sha256');
    await pipeline(createReadStream(source), hash);
    if (hash.digest('hex') !== sha256) throw new Error('the checksum differs');
    await pipeline(
      createReadStream(source),
      createGunzip(),
      createWriteStream(target, { mode: 0o600 }),
    );
  } catch (cause) {
    throw new FootbridgeError('backup_damaged', `${source}: ${errorText(cause)}`, { cause });
  }
}

/** All of a file system at once: a thousand fsyncs take longer than the copy. */
export async function syncFiles(directory: string): Promise<void> {
  await promisify(execFile)('sync', ['--file-system', directory]);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync();
  await handle.close();
}
