/** Serial lines that can be unplugged: a pseudo terminal of ours, and one of socat. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { openPseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { eventually } from './frames.ts';

/** The device's end of a line. The port has the same path before and after it was unplugged. */
export interface SerialLine {
  readonly path: string;
  plug(): Promise<void>;
  unplug(): Promise<void>;
  write(bytes: Uint8Array): void;
  onData(take: (bytes: Buffer) => void): void;
}

/** A stable name as udev gives one: a link to whatever device file the plug got this time. */
export function ptyLine(folder: string): SerialLine {
  const link = path.join(folder, 'counter');
  let terminal = openPseudoTerminal();
  let isPlugged = false;
  let take: (bytes: Buffer) => void = () => {};
  terminal.close();
  return {
    path: link,
    plug: async () => {
      terminal = openPseudoTerminal();
      terminal.onData((bytes) => take(bytes));
      symlinkSync(terminal.path, link);
      isPlugged = true;
    },
    unplug: async () => {
      if (!isPlugged) return;
      isPlugged = false;
      rmSync(link);
      terminal.close();
    },
    write: (bytes) => terminal.write(bytes),
    onData: (taker) => {
      take = taker;
    },
  };
}

/** socat makes the line in a process of its own; the device speaks to it over a socket. */
export function socatLine(folder: string): SerialLine {
  const link = path.join(folder, 'counter');
  const socketPath = path.join(folder, 'device.sock');
  let process: ChildProcess | undefined;
  let server: Server | undefined;
  let socket: Socket | undefined;
  let take: (bytes: Buffer) => void = () => {};
  return {
    path: link,
    plug: async () => {
      server = createServer((accepted) => {
        socket = accepted;
        accepted.on('data', (bytes) => take(bytes));
        accepted.on('error', () => {});
      });
      server.listen(socketPath);
      process = spawn('socat', [`PTY,link=${link},rawer`, `UNIX-CONNECT:${socketPath}`], {
        stdio: 'ignore',
      });
      await eventually('socat', () => socket !== undefined && existsSync(link));
    },
    unplug: async () => {
      if (process === undefined) return;
      process.kill();
      await once(process, 'exit');
      process = undefined;
      socket?.destroy();
      socket = undefined;
      server?.close();
      rmSync(link, { force: true });
      rmSync(socketPath, { force: true });
    },
    write: (bytes) => socket?.write(bytes),
    onData: (taker) => {
      take = taker;
    },
  };
}
