/**
 * A serial line without hardware: a pseudo terminal whose far end is a device file that serialport
 * opens like any port.
 */
import { closeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import nodePty from 'node-pty';

export interface PseudoTerminal {
  /** Device file of the far end, for example `/dev/pts/3`. */
  readonly path: string;
  write(bytes: Uint8Array): void;
  onData(take: (bytes: Buffer) => void): void;
  /** As when the cable is pulled: the device file goes away under whoever has it open. */
  close(): void;
}

/**
 * node-pty is there to run programs; its own `open` also reads from the far end, and so would steal
 * what the gateway should read. Its native call only opens, but has no types.
 */
interface NativePty {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}

export function openPseudoTerminal(): PseudoTerminal {
  const { native } = nodePty as unknown as { native: NativePty };
  const { master, slave, pty } = native.open(80, 24);
  const stream = new ReadStream(master);
  // Reading ends with EIO when nobody has the far end open, so `slave` stays open till the end.
  stream.on('error', () => {});
  stream.resume();
  let isOpen = true;
  return {
    path: pty,
    write: (bytes) => {
      if (isOpen) stream.write(bytes);
    },
    onData: (take) => {
      stream.on('data', take);
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      stream.destroy();
      closeSync(slave);
    },
  };
}
