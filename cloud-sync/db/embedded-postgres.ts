/**
 * The embedded default: a real PostgreSQL in the data directory, reachable on 127.0.0.1 only, with
 * passwords, and with fsync on like any other.
 */
import { spawn } from 'node:child_process';
import { chown, mkdir, open, readFile, readlink, realpath, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { Claims, exclusively, processStart, secretsOf } from './data-directory.ts';
import { runOnce } from './pool.ts';
import type { Account } from './postgres-binaries.ts';
import { exists, isOpenToAll, postgresBinaries, serverAccount } from './postgres-binaries.ts';

const start_deadline_ms = 60_000;
const stop_deadline_ms = 7_000;
const database_name = 'footbridge';

/**
 * The directory a process stands in, reached without walking there: root may keep the data below a
 * home directory that is closed to the server's account.
 */
const here = '/proc/self/cwd';

/** How the server's account names a directory that it stands in. */
async function nameFor(directory: string, account: Account | undefined): Promise<string> {
  const reachable = account === undefined || (await isOpenToAll(path.dirname(directory)));
  return reachable ? directory : here;
}

export interface EmbeddedPostgres {
  readonly port: number;
  readonly pid: number;
  /** Connection string of the owner of everything: migrations. */
  ownerUrl(database?: string): string;
  /** Connection string of the login that serves. */
  serviceUrl(database?: string): string;
  /** Resolves when the server process has ended, wanted or not. */
  ended(signal: AbortSignal): Promise<void>;
  /** Leaves; the last process to leave stops the server. */
  stop(): Promise<void>;
}

/**
 * Starts the server of `data_dir`, or joins the one that runs there: another command's, or one that
 * a killed process left behind.
 *
 * @throws embedded_failed with the end of the server's log.
 */
export async function openEmbeddedPostgres(options: {
  data_dir: string;
  clock: Clock;
  /** Directory with `postgres` and `initdb` of another version; default: what npm installed. */
  binaries?: string;
}): Promise<EmbeddedPostgres> {
  const { clock } = options;
  // Root's server runs under another account, which must pass through; secrets in here are 0600.
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  const data_dir = await madeDirectory(options.data_dir, mode);
  const claims = new Claims(data_dir);

  return exclusively(data_dir, clock, async () => {
    const secrets = await secretsOf(data_dir);
    const account = await serverAccount();
    const binaries = options.binaries ?? (await postgresBinaries(account));
    await initialise(data_dir, binaries, account, secrets.superuser);
    const server =
      (await findRunning(data_dir)) ?? (await start(data_dir, binaries, account, clock));
    const url = (login: string, password: string, database: string) =>
      `postgres://${login}:${password}@127.0.0.1:${server.port}/${database}`;
    const ownerUrl = (database = database_name) => url('postgres', secrets.superuser, database);
    const leave = await claims.take();
    try {
      await prepare(ownerUrl('postgres'), secrets.service);
    } catch (cause) {
      await leave();
      throw new FootbridgeError('embedded_failed', errorText(cause), { cause });
    }
    return {
      ...server,
      ownerUrl,
      serviceUrl: (database = database_name) => url('cloud_sync', secrets.service, database),
      ended: (signal) => whenGone(server.pid, clock, signal),
      stop: () =>
        exclusively(data_dir, clock, async () => {
          const { others } = await leave();
          if (!others) await stopServer(server.pid, clock);
        }),
    };
  });
}

/** @throws embedded_failed naming the directory, for a file, a foreign or an unwritable one. */
async function madeDirectory(directory: string, mode: number): Promise<string> {
  try {
    await mkdir(directory, { recursive: true, mode });
    return await realpath(directory);
  } catch (cause) {
    const hint = 'Name a directory that this account may write with --data-dir.';
    throw new FootbridgeError('embedded_failed', errorText(cause), { cause, hint });
  }
}

const clusterOf = (data_dir: string) => path.join(data_dir, 'postgres');

/** Makes the cluster beside its place and renames it, so that a killed initdb leaves no half one. */
async function initialise(
  data_dir: string,
  binaries: string,
  account: Account | undefined,
  password: string,
): Promise<void> {
  if (await exists(path.join(clusterOf(data_dir), 'PG_VERSION'))) return;
  const draft = path.join(data_dir, 'postgres.new');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  if (account !== undefined) await chown(draft, account.uid, account.gid);

  const passwordPath = path.join(data_dir, 'initdb.secret');
  const passwordFile = await open(passwordPath, 'w+', 0o600);
  const log = await open(path.join(data_dir, 'postgres.log'), 'a', 0o600);
  try {
    await passwordFile.write(password, 0);
    if (account !== undefined) await passwordFile.chown(account.uid, account.gid);
    const child = spawn(
      path.join(binaries, 'initdb'),
      [
        `--pgdata=${await nameFor(draft, account)}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
      ].concat(['--locale=C', '--no-instructions', '--pwfile=/proc/self/fd/3']),
      {
        cwd: draft,
        stdio: ['ignore', log.fd, log.fd, passwordFile.fd],
        env: serverEnvironment,
        ...account,
      },
    );
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (status !== 0) throw await startFailure(data_dir, `initdb ended with ${status}`);
  } finally {
    await Promise.all([passwordFile.close(), log.close(), rm(passwordPath, { force: true })]);
  }
  await rename(draft, clusterOf(data_dir));
}

const serverEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

interface Running {
  readonly pid: number;
  readonly port: number;
}

async function start(
  data_dir: string,
  binaries: string,
  account: Account | undefined,
  clock: Clock,
): Promise<Running> {
  const cluster = clusterOf(data_dir);
  // A server that is gone may have left its file, and a stranger may have its number by now.
  await rm(path.join(cluster, 'postmaster.pid'), { force: true });
  const deadline = clock.monotonic() + start_deadline_ms;
  for (;;) {
    const port = await freePort();
    const ended = await launch({ data_dir, binaries, account, port });
    while (!ended.aborted) {
      const running = await findRunning(data_dir);
      if (running !== undefined) return running;
      if (clock.monotonic() > deadline) throw await startFailure(data_dir, 'not ready in time');
      await clock.sleep(20);
    }
    // Backends of a killed server hold its memory for a moment; a port may have been taken.
    if (clock.monotonic() > deadline - start_deadline_ms + 15_000) {
      throw await startFailure(data_dir, 'the server ended');
    }
    await clock.sleep(250);
  }
}

async function launch(options: {
  data_dir: string;
  binaries: string;
  account: Account | undefined;
  port: number;
}): Promise<AbortSignal> {
  const cluster = clusterOf(options.data_dir);
  const log = await open(path.join(options.data_dir, 'postgres.log'), 'a', 0o600);
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '60',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  const child = spawn(
    path.join(options.binaries, 'postgres'),
    ['-D', await nameFor(cluster, options.account), '-p', String(options.port)].concat(
      Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ),
    {
      cwd: cluster,
      stdio: ['ignore', log.fd, log.fd],
      env: serverEnvironment,
      // Its own process group: Ctrl-C in a terminal must reach us first, then the server.
      detached: true,
      ...options.account,
    },
  );
  child.unref();
  await log.close();
  const ended = new AbortController();
  child.once('exit', () => ended.abort());
  child.once('error', () => ended.abort());
  return ended.signal;
}

/** The ready server of this directory, from the file PostgreSQL itself keeps. */
async function findRunning(data_dir: string): Promise<Running | undefined> {
  const cluster = clusterOf(data_dir);
  const lines = await readFile(path.join(cluster, 'postmaster.pid'), 'utf8').then(
    (text) => text.split('\n'),
    () => [],
  );
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!(pid > 0) || !(port > 0) || lines[7]?.trim() !== 'ready') return undefined;
  const standsIn = await readlink(`/proc/${pid}/cwd`).catch(() => '');
  return standsIn === cluster ? { pid, port } : undefined;
}

async function prepare(url: string, servicePassword: string): Promise<void> {
  await runOnce(url, async (query) => {
    const databases = await query('select from pg_database where datname = $1', [database_name]);
    if (databases.length === 0) await query(`create database ${database_name}`);
    const logins = await query("select from pg_roles where rolname = 'cloud_sync'");
    if (logins.length === 0) await query('create role cloud_sync login noinherit');
    // The password is base64url of our own making: no quote can be in it.
    await query(`alter role cloud_sync password '${servicePassword}'`);
  });
}

async function stopServer(pid: number, clock: Clock): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const limit = new AbortController();
    const cancel = clock.after(stop_deadline_ms, () => limit.abort());
    await whenGone(pid, clock, limit.signal);
    cancel();
    if (!limit.signal.aborted) return;
  }
}

async function whenGone(pid: number, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await processStart(pid)) !== undefined) {
    await clock.sleep(50, signal);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

async function startFailure(data_dir: string, what: string): Promise<FootbridgeError> {
  const file = path.join(data_dir, 'postgres.log');
  const log = await readFile(file, 'utf8').catch(() => '');
  const reason = log.trimEnd().split('\n').slice(-3).join(' | ');
  return new FootbridgeError('embedded_failed', `${what}: ${reason} (${file})`);
}
