import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { program as headquarters } from '../../cloud-sync/cli/commands.ts';
import { addCommands } from '../../gateway/cli/commands.ts';
import { root } from './sources.ts';

type Programs = ReadonlyMap<string, Command>;

async function programs(): Promise<Programs> {
  const gateway = new Command('footbridge').option('--config <file>').option('--data-dir <folder>');
  await addCommands(gateway, { called: 'footbridge' } as Parameters<typeof addCommands>[1], []);
  const both = [gateway, headquarters(root)];
  return new Map(both.map((each) => [each.name(), each]));
}

/** At the start of a command line, behind variables, `sudo` or `npx`. */
const calling =
  /^(?:\w+=\S*\s+)*(?:sudo\s+(?:-u\s+\w+\s+)?)?(?:npx\s+)?(footbridge(?:-hq)?)\s+(.+)$/s;

/** Command lines in fenced blocks and in running text; in a table's first cell, the program once. */
function linesIn(markdown: string): string[] {
  const found: string[] = [];
  const prose = markdown.replace(/^```\w*\n(.*?)^```/gms, (_, block: string) => {
    found.push(...block.split('\n').flatMap((line) => line.split(/&&|\s#\s|<\(|\)$/)));
    return '';
  });
  for (const row of prose.match(/^\| `footbridge.*$/gm) ?? []) {
    const spans = spansIn(row.split(/(?<!\\)\|/)[1] ?? '');
    const name = calling.exec(spans[0] ?? '')?.[1] ?? '';
    found.push(...spans.map((span) => (calling.test(span) ? span : `${name} ${span}`)));
  }
  return [...found, ...spansIn(prose)].map((line) => line.trim());
}

function spansIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll('\n', ' '));
}

/** What of a command line does not exist; null where it is none of ours or all of it does. */
function faultOf(line: string, of: Programs): string | null {
  const [, name = '', rest = ''] = calling.exec(line) ?? [];
  const program = of.get(name);
  if (program === undefined) return null;
  const words = rest.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  return faultBelow([program], words);
}

/** @param path commands from the program on to the one reached. */
function faultBelow(path: readonly Command[], words: readonly string[]): string | null {
  const [word, ...more] = words;
  const at = path.at(-1);
  if (word === undefined || at === undefined) return null;
  if (word.startsWith('--')) {
    const [long] = word.split('=');
    if (long === '--help') return null;
    const option = path.flatMap(({ options }) => options).find((each) => each.long === long);
    if (option === undefined) return `${at.name()} has no ${word}`;
    return faultBelow(path, option.required && !word.includes('=') ? more.slice(1) : more);
  }
  if (word.startsWith('-') || at.commands.length === 0) return faultBelow(path, more);
  for (const each of word.split(/\\?\|/)) {
    const below = at.commands.find((command) => command.name() === each);
    if (below === undefined) return `${at.name()} has no ${each}`;
    const fault = faultBelow([...path, below], more);
    if (fault !== null) return fault;
  }
  return null;
}

const documents = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

test('every command and option that a document names exists', async () => {
  const all = await programs();
  const lines = documents.flatMap((file) =>
    linesIn(readFileSync(join(root, file), 'utf8')).map((line) => ({ file, line })),
  );
  expect(lines.filter(({ line }) => calling.test(line)).length).toBeGreaterThan(90);
  const faults = lines.flatMap(({ file, line }) => {
    const fault = faultOf(line, all);
    return fault === null ? [] : [`${file}: ${line}: ${fault}`];
  });
  expect(faults).toEqual([]);
});

test.each([
  ['`footbridge sensor pare door`', 'sensor has no pare'],
  ['```sh\nX=1 footbridge-hq gateway invite --shop a\n```', 'invite has no --shop'],
  ['```sh\nnpm ci && npx footbridge --data-dir sensor doctr\n```', 'footbridge has no doctr'],
  ['| `footbridge run`, `sensor list\\|lost` | what |', 'sensor has no lost'],
])('a document with %j is found', async (markdown, fault) => {
  const all = await programs();
  expect(linesIn(markdown).map((line) => faultOf(line, all))).toContain(fault);
});
