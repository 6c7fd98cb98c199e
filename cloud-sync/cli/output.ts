/** Printing for people or, with --json, one document for programs. stdout only. */

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(document: unknown): void {
  print(JSON.stringify(document));
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
    print(
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(',') || '-' : String(value);
}
