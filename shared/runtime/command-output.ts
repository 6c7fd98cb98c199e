/** How both commands print: data on stdout, everything about the data on stderr. */
import { errorText, exitCodeOf, FootbridgeError } from './errors.ts';

/** What helps with most errors of the operating system: wrong account, wrong place. */
const fileHint = 'check that this account may use the path, or name another with --data-dir.';

/** One JSON document. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Rows under headings, as wide as their widest value. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
): void {
  const lines = [headings, ...rows.map((row) => row.map(cell))];
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  for (const line of lines) {
    const cells = line.map((text, column) => text.padEnd(widths[column] ?? 0));
    printLine(cells.join('  ').trimEnd());
  }
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(',') || '-' : String(value);
}

/**
 * Says what is wrong, the value seen and what to do next; sets the exit code.
 */
export function printError(error: unknown): void {
  process.exitCode = exitCodeOf(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (!(error instanceof FootbridgeError) && code !== undefined && syscall !== undefined) {
    process.stderr.write(`error (${code}): ${errorText(error)}\n  Try: ${fileHint}\n`);
    return;
  }
  if (!(error instanceof FootbridgeError)) {
    process.stderr.write(`error: ${error instanceof Error ? error.stack : errorText(error)}\n`);
    return;
  }
  const detail = error.detail === undefined ? '' : `\n${error.detail.replace(/^/gm, '  ')}`;
  process.stderr.write(`error (${error.code}): ${error.message}${detail}\n  Try: ${error.hint}\n`);
}
