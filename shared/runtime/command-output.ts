/** How both commands print: data on stdout, everything about the data on stderr. */
import { errorText, exitCodeOf, FootbridgeError } from './errors.ts';

/** One JSON document. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Columns aligned under their names, separated by two spaces. */
export function printTable(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  printLine(line(columns));
  for (const row of rows) printLine(line(row));
}

/**
 * Says what is wrong, the value seen and what to do next; sets the exit code.
 */
export function printError(error: unknown): void {
  process.exitCode = exitCodeOf(error);
  if (!(error instanceof FootbridgeError)) {
    process.stderr.write(`error: ${errorText(error)}\n`);
    return;
  }
  const detail = error.detail === undefined ? '' : `\n${error.detail.replace(/^/gm, '  ')}`;
  process.stderr.write(`error (${error.code}): ${error.message}${detail}\n  Try: ${error.hint}\n`);
}
