/** One open serial port: the only home of the package `serialport`. */
import { SerialPort } from 'serialport';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface SerialSettings {
  readonly baud: number;
  readonly data_bits: 5 | 6 | 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stop_bits: 1 | 2;
}

export interface OpenSerialPort {
  write(bytes: Uint8Array): void;
  /** Throws away what arrived and was not read. */
  flush(): Promise<void>;
  /** Stops and begins to read; the driver keeps a few kilobytes meanwhile. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** Opening a local path costs little, and a technician who replugs a cable watches the light. */
export const reopenPort = { base_ms: 250, cap_ms: 3_000 };
/** How often a port that says nothing is asked whether it is still there. */
const probe_ms = 1_000;

/** Throws when the port cannot be opened. `onLost` may be called more than once. */
export async function openSerialPort(
  path: string,
  settings: SerialSettings,
  clock: Clock,
  on: { readonly data: (chunk: Uint8Array) => void; readonly lost: (error: Error) => void },
): Promise<OpenSerialPort> {
  const port = new SerialPort({
    path,
    baudRate: settings.baud,
    dataBits: settings.data_bits,
    parity: settings.parity,
    stopBits: settings.stop_bits,
    autoOpen: false,
  });
  await settled((done) => port.open(done));
  const closing = new AbortController();
  port.on('data', on.data);
  port.on('error', on.lost);
  port.on('close', () => on.lost(new Error(`${path} was unplugged`)));
  probe(port, clock, closing.signal).catch(on.lost);
  return {
    write: (bytes) => {
      port.write(Buffer.from(bytes));
    },
    flush: () => settled((done) => port.flush(done)),
    pause: () => port.pause(),
    resume: () => port.resume(),
    close: async () => {
      closing.abort();
      port.off('data', on.data);
      // A port that is gone is closed already, and says so with an error that helps nobody.
      if (port.isOpen) await settled((done) => port.close(() => done(null)));
    },
  };
}

/**
 * Throws when the port is gone. serialport's `close` event did not come on every unplug in every
 * version (serialport #2043, #2351, #458), so the driver is asked as well: a terminal that was hung
 * up does not tell its speed.
 */
async function probe(port: SerialPort, clock: Clock, closing: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(probe_ms, closing);
    if (closing.aborted) return;
    await port.port?.getBaudRate();
  }
}

function settled(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
