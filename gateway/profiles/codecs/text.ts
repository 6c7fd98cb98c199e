/** JSON and CSV text to a JSON value. */
import type { Codec } from '../codec-schema.ts';

type Csv = Extract<Codec, { kind: 'csv' }>;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws an Error where the bytes are no UTF-8. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString();
  // The lenient decoder is several times faster on short messages; it marks what it could not read.
  return text.includes('\uFFFD') ? utf8.decode(bytes) : text;
}

/** @throws an Error whose message says where the text stops being JSON. */
export function decodeJson(bytes: Uint8Array): unknown {
  return JSON.parse(textOf(bytes));
}

/**
 * The lines as `rows`, each an object of texts by column (RFC 4180, with any line end).
 *
 * @throws an Error where a quote is never closed or a line has more cells than there are columns.
 */
export function decodeCsv(codec: Csv, bytes: Uint8Array): unknown {
  const lines = cells(textOf(bytes), codec.separator);
  const columns = codec.columns ?? lines.shift() ?? [];
  const rows = lines.map((line) => {
    if (line.length > columns.length) {
      throw new Error(`a line has ${line.length} cells where there are ${columns.length} columns`);
    }
    return Object.fromEntries(line.map((cell, i) => [columns[i] ?? '', cell]));
  });
  return { rows };
}

function cells(text: string, separator: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? '';
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') {
        cell += char;
        i += 1;
      } else quoted = false;
    } else if (char === '"' && cell === '') quoted = true;
    else if (char === separator || char === '\n') {
      line.push(cell.trim());
      cell = '';
      if (char === '\n') {
        lines.push(line);
        line = [];
      }
    } else cell += char;
  }
  if (quoted) throw new Error('a quote is never closed');
  lines.push([...line, cell.trim()]);
  return lines.filter((each) => each.some((found) => found !== ''));
}
