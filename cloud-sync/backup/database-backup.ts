/** A database on a server of the operator's own: pg_dump and pg_restore, and the roles it needs. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Query } from '../db/pool.ts';
import { runOnce } from '../db/pool.ts';
import type { Manifest } from './backup-directory.ts';
import { pack, unpack } from './backup-directory.ts';

const dump_name = 'database.dump';

/** @param owner_url a login that no row security holds back: pg_dump refuses to leave rows out. */
export async function backUpDatabase(
  owner_url: string,
  directory: string,
): Promise<Omit<Manifest, 'created_at'>> {
  const plain = path.join(directory, dump_name);
  await run('pg_dump', ['--format=custom', '--compress=0', `--file=${plain}`], owner_url);
  const file = await pack(createReadStream(plain), directory, dump_name);
  await rm(plain);
  return runOnce(owner_url, async (query) => ({
    kind: 'database',
    ...(await about(query)),
    directories: [],
    files: [file],
  }));
}

async function about(query: Query): Promise<Pick<Manifest, 'server_version' | 'roles'>> {
  const [version] = await query<{ server_version: string }>('show server_version');
  const roles = await query<Manifest['roles'][number]>(
    `select rolname as name, rolcanlogin as login, rolinherit as inherit,
       array(select pg_get_userbyid(m.roleid)::text from pg_auth_members m
         where m.member = r.oid and pg_get_userbyid(m.roleid) ~ '^(app_|authenticated$)'
         order by 1) as member_of
     from pg_roles r
     where rolname ~ '^app_' or rolname in ('cloud_sync', 'authenticated')
       or rolname in (select login from app.bi_logins where revoked_at is null)
     order by 1`,
  );
  return { server_version: version?.server_version ?? '', roles };
}

/**
 * Fills an empty database. Passwords of logins belong to the old server and are not in a backup.
 *
 * @throws backup_damaged, backup_target_taken, backup_failed
 */
export async function restoreDatabase(
  directory: string,
  manifest: Manifest,
  owner_url: string,
): Promise<void> {
  await runOnce(owner_url, async (query) => {
    const tables = await query(
      "select from pg_tables where schemaname not in ('pg_catalog', 'information_schema') limit 1",
    );
    if (tables.length > 0) {
      throw new FootbridgeError('backup_target_taken', 'the database has tables');
    }
    await ensureRoles(query, manifest.roles);
  });
  const [file] = manifest.files;
  if (file === undefined) throw new FootbridgeError('backup_damaged', 'the manifest has no file');
  const work = await mkdtemp(path.join(directory, 'restore-'));
  try {
    const plain = path.join(work, dump_name);
    await unpack(directory, file, plain);
    await run('pg_restore', ['--exit-on-error', '--single-transaction', plain], owner_url);
  } finally {
    await rm(work, { recursive: true });
  }
}

async function ensureRoles(query: Query, roles: Manifest['roles']): Promise<void> {
  for (const { name, login, inherit } of roles) {
    const known = await query('select from pg_roles where rolname = $1', [name]);
    if (known.length > 0) continue;
    await query(
      `create role ${name} ${login ? 'login' : 'nologin'} ${inherit ? 'inherit' : 'noinherit'}`,
    );
  }
  for (const { name, member_of } of roles) {
    for (const group of member_of) await query(`grant ${group} to ${name}`);
  }
}

/** The password goes by the environment: arguments can be read by everybody on the machine. */
function run(program: 'pg_dump' | 'pg_restore', args: string[], url: string): Promise<void> {
  const target = new URL(url);
  const PGPASSWORD = decodeURIComponent(target.password);
  target.password = '';
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, `--dbname=${target.href}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', PGPASSWORD },
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    const fail = (why: string) =>
      reject(new FootbridgeError('backup_failed', `${program}: ${why.trim()}`));
    child.once('error', (error) => fail(error.message));
    child.once('exit', (status) => (status === 0 ? resolve() : fail(said)));
  });
}
