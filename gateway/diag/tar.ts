/** An archive of a few small texts, as POSIX has it (ustar, IEEE 1003.1 pax, section "ustar"). */

export interface ArchivedFile {
  /** At most 100 bytes. */
  readonly name: string;
  readonly text: string;
}

const block_bytes = 512;

/** @param at when the files were made, ms since the epoch. */
export function tarOf(files: readonly ArchivedFile[], at: number): Buffer {
  const parts = files.flatMap(({ name, text }) => {
    const body = Buffer.from(text);
    return [headerOf(name, body.length, at), body, Buffer.alloc(-body.length & (block_bytes - 1))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block_bytes)]);
}

function headerOf(name: string, length: number, at: number): Buffer {
  const header = Buffer.alloc(block_bytes);
  const octal = (value: number, offset: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), offset);
  header.write(name, 0, 100);
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(length, 124, 11);
  octal(Math.floor(at / 1000), 136, 11);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  // Summed up as if the sum were spaces.
  header.fill(' ', 148, 156);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header[154] = 0;
  return header;
}
