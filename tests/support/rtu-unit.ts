/** Units on a serial line of a test, and what a receiver makes of a line that is set up wrongly. */
import { spawnSync } from 'node:child_process';
import { openPseudoTerminal, type PseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { checksumOf } from '../../gateway/sources/checksum.ts';

export interface RtuLine {
  readonly path: string;
  readonly terminal: PseudoTerminal;
}

/**
 * Answers function 4 with `registers(unit, start, count)`: words, a Modbus exception, or null for
 * silence. Bytes go through the wire as `wire` says.
 */
export function openRtuLine(
  registers: (unit: number, start: number, count: number) => number[] | 'exception' | null,
  wire: (bytes: Uint8Array, path: string) => Uint8Array = (bytes) => bytes,
): RtuLine {
  const terminal = openPseudoTerminal();
  let bytes = Buffer.alloc(0);
  terminal.onData((chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let taken = 8; bytes.length >= 8; bytes = bytes.subarray(taken)) {
      // Words of other protocols end nowhere: a request is where its checksum fits.
      taken = isRequest(bytes.subarray(0, 8)) ? 8 : 1;
      if (taken === 1) continue;
      const [unit = 0, code = 0] = bytes;
      const words = registers(unit, bytes.readUInt16BE(2), bytes.readUInt16BE(4));
      if (words === null) continue;
      const data = words === 'exception' ? [] : words.flatMap((word) => [word >> 8, word & 0xff]);
      const head = words === 'exception' ? [unit, code | 0x80, 2] : [unit, code, data.length];
      const frame = Uint8Array.of(...head, ...data);
      const sent = Uint8Array.of(...frame, ...checksumOf('crc16-modbus', frame));
      terminal.write(wire(sent, terminal.path));
    }
  });
  return { path: terminal.path, terminal };
}

function isRequest(bytes: Uint8Array): boolean {
  const [low, high] = checksumOf('crc16-modbus', bytes.subarray(0, 6));
  return bytes[6] === low && bytes[7] === high;
}

/** The speed that the far end of the terminal is set to: what the gateway asked for. */
export function speedOf(path: string): number {
  return Number(spawnSync('stty', ['-F', path, 'speed'], { encoding: 'utf8' }).stdout);
}

/**
 * What a UART at `read_baud` makes of bytes sent at `sent_baud`, 8N1: it samples the middle of each
 * of its own bits. `inverted` swaps the two wires, so that rest becomes a break.
 */
export function heardAt(
  bytes: Uint8Array,
  line: { sent_baud: number; read_baud: number; inverted?: boolean },
): Uint8Array {
  const sent = [...bytes].flatMap((byte) => [
    0,
    ...Array.from({ length: 8 }, (_, i) => (byte >> i) & 1),
    1,
  ]);
  const level = (time: number) => {
    const bit = sent[Math.floor(time * line.sent_baud)] ?? 1;
    return line.inverted === true ? 1 - bit : bit;
  };
  const end = (sent.length + 20) / line.sent_baud;
  const bit_s = 1 / line.read_baud;
  const heard: number[] = [];
  for (let time = 0; time < end; ) {
    if (level(time) === 1) {
      time += bit_s / 16;
      continue;
    }
    const bits = Array.from({ length: 8 }, (_, i) => level(time + (i + 1.5) * bit_s));
    heard.push(bits.reduce((byte, bit, i) => byte | (bit << i), 0));
    time += 9.5 * bit_s;
    // A break is one byte, however long: the receiver waits for the line to rise.
    while (time < end && level(time) === 0) time += bit_s / 16;
  }
  return Uint8Array.from(heard);
}
