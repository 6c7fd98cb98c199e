/**
 * The embedded server as a base backup: its files are copied while it runs, and the log of what
 * changed meanwhile makes them whole when the copy starts (PostgreSQL's manual, 25.3.4).
 */
import { createReadStream } from 'node:fs';
import { chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { withClient } from '../db/pool.ts';
import { exists, serverAccount } from '../db/postgres-binaries.ts';
import type { BackedUpFile, Manifest } from './backup-directory.ts';
import { pack, syncFiles, unpack } from './backup-directory.ts';

/** What the copy must not have, or makes anew when it starts. */
const left_out =
  /^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/|(^|\/)(pgsql_tmp|postmaster\.(pid|opts)$|pg_internal\.init)/;

/** @param data_dir with the cluster in `postgres` and its passwords in `secrets.json`. */
export async function backUpCluster(
  data_dir: string,
  owner_url: string,
  directory: string,
): Promise<Omit<Manifest, 'created_at'>> {
  const cluster = path.join(data_dir, 'postgres');
  return withClient(owner_url, async (client) => {
    const ask = async <Row>(text: string, values: unknown[] = []) => {
      const [row] = (await client.query(text, values)).rows as Row[];
      if (row === undefined) throw new Error(`no answer: ${text}`);
      return row;
    };
    // Keeps the server from recycling the log that the copy will need; gone with this connection.
    await client.query('select pg_create_physical_replication_slot($1, true, true)', [
      `footbridge_backup_${process.pid}`,
    ]);
    const { first } = await ask<{ first: string }>(
      "select pg_walfile_name(pg_backup_start('footbridge-hq backup', true)) as first",
    );
    const { directories, files: names } = await tree(cluster);
    const files: BackedUpFile[] = [];
    for (const name of names.filter((name) => !left_out.test(name))) {
      const file = await packFrom(cluster, name, directory);
      if (file !== undefined) files.push(file);
    }
    const { last, label } = await ask<{ last: string; label: string }>(
      'select pg_walfile_name(lsn) as last, labelfile as label from pg_backup_stop(false)',
    );
    files.push(await pack(Readable.from([label]), directory, 'postgres/backup_label'));
    for (const segment of (await readdir(path.join(cluster, 'pg_wal'))).sort()) {
      const needed = /^[0-9A-F]{24}$/.test(segment) && segment >= first && segment <= last;
      if (!needed && !segment.endsWith('.history')) continue;
      const file = await packFrom(cluster, `pg_wal/${segment}`, directory);
      if (file !== undefined) files.push(file);
    }
    files.push(
      await pack(createReadStream(path.join(data_dir, 'secrets.json')), directory, 'secrets.json'),
    );
    const { version } = await ask<{ version: string }>(
      "select current_setting('server_version') as version",
    );
    return {
      kind: 'cluster',
      server_version: version,
      directories: directories
        .filter((name) => !left_out.test(name))
        .map((name) => `postgres/${name}`),
      files,
      roles: [],
    };
  });
}

/** A file that is dropped while the copy runs is dropped again by the log. */
async function packFrom(
  cluster: string,
  name: string,
  directory: string,
): Promise<BackedUpFile | undefined> {
  try {
    return await pack(createReadStream(path.join(cluster, name)), directory, `postgres/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await rm(path.join(directory, `postgres/${name}.gz`), { force: true });
    return undefined;
  }
}

async function tree(root: string): Promise<{ directories: string[]; files: string[] }> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const nameOf = (entry: (typeof entries)[number]) =>
    path.relative(root, path.join(entry.parentPath, entry.name));
  return {
    directories: entries.filter((entry) => entry.isDirectory()).map(nameOf),
    files: entries.filter((entry) => entry.isFile()).map(nameOf),
  };
}

/**
 * Makes a data directory of a backup; the server recovers when a command first opens it.
 *
 * @throws backup_damaged, backup_target_taken
 */
export async function restoreCluster(
  directory: string,
  { directories, files }: Manifest,
  data_dir: string,
): Promise<void> {
  const taken = path.join(data_dir, 'postgres');
  if (await exists(taken)) throw new FootbridgeError('backup_target_taken', taken);
  const account = await serverAccount();
  const own = async (name: string) => {
    if (account !== undefined) await chown(name, account.uid, account.gid);
  };
  // Root's server runs under another account, which must pass through.
  await mkdir(data_dir, { recursive: true, mode: account === undefined ? 0o700 : 0o711 });
  const draft = path.join(data_dir, 'postgres.restored');
  await rm(draft, { recursive: true, force: true });
  const placeOf = (name: string) =>
    name === 'secrets.json'
      ? path.join(data_dir, name)
      : path.join(draft, path.relative('postgres', name));
  await mkdir(draft, { mode: 0o700 });
  await own(draft);
  for (const name of directories.toSorted()) {
    await mkdir(placeOf(name), { mode: 0o700 });
    await own(placeOf(name));
  }
  for (const file of files) {
    await unpack(directory, file, placeOf(file.file));
    if (file.file !== 'secrets.json') await own(placeOf(file.file));
  }
  await syncFiles(data_dir);
  await rename(draft, taken);
}
