/** Which process has a file or a port open (Linux, proc(5)). */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

export interface Holder {
  readonly pid: number;
  readonly command: readonly string[];
}

/** State LISTEN of a socket, as /proc/net/tcp writes it. */
const listening = '0A';

/** Who has the file open, besides ourselves; empty where nobody visible has. */
export function holdersOfFile(path: string): Holder[] {
  const real = attempt(() => realpathSync(path));
  return real === null ? [] : holdersOf((link) => link === real);
}

/** Who listens on the TCP port; empty where nobody does, or someone whom we may not see. */
export function holdersOfPort(port: number): Holder[] {
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeners(file, port)),
  );
  return holdersOf((link) => sockets.has(link));
}

export function holdersText(holders: readonly Holder[]): string | null {
  const named = holders.map(({ pid, command }) => {
    return `${command.join(' ').slice(0, 60)} (process ${pid})`;
  });
  return named.length === 0 ? null : `${named.join(' and ')} has it`;
}

function holdersOf(matches: (link: string) => boolean): Holder[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    const folder = `/proc/${pid}/fd`;
    const files = pid === process.pid ? [] : (attempt(() => readdirSync(folder)) ?? []);
    if (!files.some((file) => matches(attempt(() => readlinkSync(`${folder}/${file}`)) ?? ''))) {
      return [];
    }
    const command = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '';
    return [{ pid, command: command.split('\0').filter((word) => word !== '') }];
  });
}

/** Columns: number, local address, remote address, state, …, the tenth is the inode. */
function listeners(file: string, port: number): string[] {
  const rows = (attempt(() => readFileSync(file, 'utf8')) ?? '').split('\n').slice(1);
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode] = row.trim().split(/\s+/);
    const isIt = state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port;
    return isIt ? [`socket:[${inode}]`] : [];
  });
}

/** Processes end while they are looked at, and those of others keep their secrets. */
function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
