import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findingCatalogue } from '../../shared/findings/catalogue.ts';
import { type CatalogueEntry, symptoms } from '../../shared/findings/catalogue-entry.ts';
import { errorCatalogue } from '../../shared/runtime/error-catalogue.ts';

import { Workspace } from '../support/workspace.ts';
import { root, sourceFiles } from './sources.ts';
import { overlong, violations } from './tidy.ts';

const workspace = new Workspace();

test('the product keeps the rules of the house', () => {
  const files = sourceFiles('shared', 'gateway', 'cloud-sync', 'demo');
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap(violations)).toEqual([]);
});

test('tests, benches and packaging are read too, and no longer than the product', () => {
  const files = sourceFiles('tests', 'bench', 'packaging');
  expect(files.length).toBeGreaterThan(200);
  expect(files.flatMap(overlong)).toEqual([]);
  expect(overlong({ path: 'tests/planted.test.ts', text: '\n'.repeat(301) })).toHaveLength(1);
});

const purpose = '/** Planted. */\n';

test.each([
  ['a package away from its home', 'gateway/sync/planted.ts', "import pg from 'pg';", 'imports pg'],
  ['a package without a home', 'shared/wire/planted.ts', "import _ from 'lodash';", 'nowhere'],
  [
    'I/O in code that only decides',
    'gateway/meters/planted.ts',
    "import fs from 'node:fs';",
    'only decides',
  ],
  [
    'a room that reaches into another',
    'gateway/sources/planted.ts',
    "import { x } from '../buffer/entry.ts';",
    'may not import',
  ],
  [
    'a door that opens to types',
    'shared/wire/planted.ts',
    "import type { Log } from '../runtime/log.ts';",
    'may not import',
  ],
  ['a clock of its own', 'gateway/sync/planted.ts', 'const now = Date.now();', 'take the Clock'],
  ['a timer of its own', 'cloud-sync/planted.ts', 'setTimeout(run, 5);', 'take the Clock'],
  ['the environment', 'gateway/planted.ts', "const x = process.env['HOME'];", 'process.env'],
  ['an exit', 'gateway/planted.ts', 'process.exit(1);', 'entry files'],
  ['301 lines', 'gateway/planted.ts', '\n'.repeat(301), 'split it'],
])('a planted violation is found: %s', (_what, path, text, found) => {
  expect(violations({ path, text: purpose + text }).join('\n')).toContain(found);
});

test('a file without a sentence of purpose is found', () => {
  expect(violations({ path: 'gateway/planted.ts', text: 'export {};' }).join()).toContain(
    'purpose',
  );
});

test('the compiler refuses an import from one service into the other', () => {
  const copy = workspace.folder();
  for (const folder of ['shared', 'gateway', 'cloud-sync']) {
    cpSync(join(root, folder), join(copy, folder), { recursive: true });
  }
  cpSync(join(root, 'tsconfig.base.json'), join(copy, 'tsconfig.base.json'));
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(
    join(copy, 'gateway', 'planted.ts'),
    "export { hoursOf } from '../cloud-sync/reports/hours.ts';\n",
  );
  const compiled = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'gateway'], {
    cwd: copy,
    encoding: 'utf8',
  });
  expect(compiled.status).not.toBe(0);
  expect(compiled.stdout).toContain('TS6307');
}, 120_000);

test('docs/errors.md is the error catalogue; `npx vitest -u` writes it anew', async () => {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { message, hint }]) => `| \`${code}\` | ${message} | ${hint} |`,
  );
  const page = [
    '# Errors',
    '',
    'What Footbridge says when something is wrong, and what to do next. The codes stand in logs, in',
    'answers over HTTP (`error.code`) and in brackets on the command line.',
    '',
    '| code | what is wrong | what to do |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  await expect(page).toMatchFileSnapshot(join(root, 'docs/errors.md'));
});

test('docs/troubleshooting.md is the catalogue of findings', async () => {
  const findings = Object.entries<CatalogueEntry>(findingCatalogue);
  const sections = Object.entries(symptoms).flatMap(([symptom, heading]) => [
    '',
    `## ${heading}`,
    '',
    '| finding | what it is | what to do |',
    '|---|---|---|',
    ...findings
      .filter(([, entry]) => entry.symptom === symptom)
      .map(([code, { cause, todo, result }]) => {
        return `| \`${code}\`${result === 'warning' ? ' (warning)' : ''} | ${cause} | ${todo} |`;
      }),
  ]);
  const page = [
    '# Troubleshooting',
    '',
    'Run `footbridge doctor` in the store: its first line names the cause, with one of these codes in',
    'brackets, and the line below says what to do. At headquarters it is `footbridge-hq doctor`. Codes of',
    'single commands and of HTTP answers are in [errors.md](errors.md).',
    ...sections,
    '',
  ].join('\n');
  await expect(page).toMatchFileSnapshot(join(root, 'docs/troubleshooting.md'));
});

test('every finding is found somewhere', () => {
  const text = sourceFiles('gateway', 'cloud-sync')
    .map((file) => file.text)
    .join('\n');
  const unused = Object.keys(findingCatalogue).filter((code) => !text.includes(`'${code}'`));
  expect(unused).toEqual([]);
});

test('every error code is used somewhere', () => {
  const text = sourceFiles('gateway', 'cloud-sync', 'shared', 'demo')
    .filter(({ path }) => path !== 'shared/runtime/errors.ts')
    .map((file) => file.text)
    .join('\n');
  const unused = Object.keys(errorCatalogue).filter(
    (code) => !new RegExp(`['.]${code}\\b`).test(text),
  );
  expect(unused).toEqual([]);
});

test('every systemd unit names a command that exists', () => {
  const units = readdirSync(join(root, 'systemd')).filter((name) => name.endsWith('.service'));
  const hq = ['footbridge-hq-backup.service', 'footbridge-hq-retention.service'];
  expect(units.sort()).toEqual([...hq, 'footbridge-hq.service', 'footbridge.service']);
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const unit of units) {
    const text = readFileSync(join(root, 'systemd', unit), 'utf8');
    const commands = [...text.matchAll(/^Exec\w+=\S*\/(footbridge(?:-hq)?) /gm)].map((m) => m[1]);
    expect(commands.length).toBeGreaterThan(0);
    for (const name of commands) expect(bin).toHaveProperty(name ?? '');
  }
});
