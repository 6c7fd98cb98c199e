/** The commands of docs/install.md, so that what is tried is what stands there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../rules/sources.ts';

const guide = readFileSync(join(root, 'docs/install.md'), 'utf8');

/**
 * @param heading of the section.
 * @param instead what stands for something else in the guide: versions, addresses, tokens.
 * @returns the lines of its first or a later block, without their comments.
 */
export function documented(
  heading: string,
  instead: Readonly<Record<string, string>>,
  block = 0,
): string[] {
  const section = guide.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const text = [...section.matchAll(/```sh\n([\s\S]*?)```/g)][block]?.[1];
  if (text === undefined) throw new Error(`docs/install.md has no block ${block} in "${heading}"`);
  const filled = Object.entries(instead).reduce((seen, [a, b]) => seen.replaceAll(a, b), text);
  return filled
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, ''));
}
