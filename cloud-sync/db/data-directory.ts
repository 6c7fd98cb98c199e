/**
 * Who uses a data directory: several commands may share one embedded server, and the last one to
 * leave stops it. Nothing in here survives a SIGKILL as truth: claims of dead processes do not
 * count, and the lock is held by the kernel.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

const lock_wait_ms = 60_000;

/** Passwords of the embedded server's two logins. */
export interface Secrets {
  readonly superuser: string;
  readonly service: string;
}

/** Runs `work` while no other process starts or stops the server of this directory. */
export async function exclusively<T>(
  directory: string,
  clock: Clock,
  work: () => Promise<T>,
): Promise<T> {
  const digest = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex');
  const deadline = clock.monotonic() + lock_wait_ms;
  // A name in the kernel's abstract socket space has one holder and vanishes with its process,
  // where a lock file would outlive a SIGKILL.
  const name = `\0footbridge-hq-${digest.slice(0, 32)}`;
  for (;;) {
    const server = createServer();
    const held = await new Promise<boolean>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen({ path: name }, () => resolve(true));
    });
    if (held) {
      try {
        return await work();
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }
    if (clock.monotonic() > deadline) {
      throw new FootbridgeError('embedded_failed', `another process is starting in ${directory}`);
    }
    await clock.sleep(50);
  }
}

/** Reads the secrets, making them on the first use. */
export async function secretsOf(directory: string): Promise<Secrets> {
  const file = path.join(directory, 'secrets.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new FootbridgeError('embedded_failed', `${file}: ${errorText(error)}`, {
        cause: error,
      });
    }
  }
  const secrets = {
    superuser: randomBytes(24).toString('base64url'),
    service: randomBytes(24).toString('base64url'),
  };
  await writeFile(`${file}.new`, `${JSON.stringify(secrets)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return secrets;
}

/** Counts users of the server, this process once for each claim. */
export class Claims {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = path.join(directory, 'users');
  }

  /** @returns gives the claim back and says whether anybody else still has one. */
  async take(): Promise<() => Promise<{ others: boolean }>> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const started = await processStart(process.pid);
    const claim = `${process.pid}-${started}-${randomBytes(4).toString('hex')}`;
    await writeFile(path.join(this.#directory, claim), '', { mode: 0o600 });
    return async () => {
      await rm(path.join(this.#directory, claim), { force: true });
      return { others: await this.#anybody() };
    };
  }

  async #anybody(): Promise<boolean> {
    for (const claim of await readdir(this.#directory)) {
      const [pid, started] = claim.split('-');
      if ((await processStart(Number(pid))) === started) return true;
      await rm(path.join(this.#directory, claim), { force: true });
    }
    return false;
  }
}

/** Start time of a live process in clock ticks, because a number alone is given out again. */
export async function processStart(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
