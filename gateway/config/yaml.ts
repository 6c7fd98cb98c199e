/**
 * YAML with a schema: every mistake at once, each with its line, so that an installer corrects a
 * file in one visit.
 */
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { errorText } from '../../shared/runtime/errors.ts';

export interface Problem {
  /** 1-based. */
  readonly line: number;
  /** Where in the document, for example `sources.1.port`. */
  readonly path: string;
  readonly message: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function readYaml<T extends z.ZodType>(text: string, schema: T): Checked<z.infer<T>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: error.message.split('\n')[0] ?? error.code,
    }));
    return { ok: false, problems };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // An alias without its anchor is found only now.
    return { ok: false, problems: [{ line: 1, path: '', message: errorText(error) }] };
  }
  const result = schema.safeParse(value ?? {}, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };

  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const node = document.getIn(path.slice(0, depth), true) as { range?: [number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, lineOf));
  return { ok: false, problems: problems.sort((a, b) => a.line - b.line) };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  lineOf: (path: readonly PropertyKey[]) => number,
): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return {
        line: lineOf(path),
        path: path.join('.'),
        message: 'is not a setting; remove it or correct its name',
      };
    });
  }
  const seen = issue.input === undefined ? '' : ` (found ${JSON.stringify(issue.input)})`;
  return [
    { line: lineOf(issue.path), path: issue.path.join('.'), message: `${issue.message}${seen}` },
  ];
}

/**
 * The text with an entry more in the list of this key; where it has no such list, behind those that
 * are its default.
 */
export function appended(
  text: string,
  key: string,
  entry: object,
  defaults: readonly object[],
): string {
  const document = parseDocument(text);
  if (document.contents === null) document.contents = document.createNode({}) as never;
  if (!document.has(key)) document.set(key, document.createNode(defaults));
  document.addIn([key], document.createNode(entry, { flow: true }));
  return document.toString({ lineWidth: 100 });
}

/** `file:12  sources.1.port  Too big: …`, one line a problem. */
export function problemText(file: string, problems: readonly Problem[]): string {
  return problems
    .map(
      ({ line, path, message }) => `${file}:${line}  ${path === '' ? '' : `${path}  `}${message}`,
    )
    .join('\n');
}
