/** Whatever a doctor can find is put there for real by some test, and looked for in its first line. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findingCatalogue } from '../../shared/findings/catalogue.ts';
import { root } from './sources.ts';

const folder = join(root, 'tests/integration');

/** In the tests of the doctors: the code of each expectation, and of each case of a table. */
function injected(text: string): string[] {
  const expected = text.matchAll(/expectFirst\(\s*'(\w+)'/g);
  const inTables = text.matchAll(/^ +\['(\w+)', \w+[.(]/gm);
  return [...expected, ...inTables].map(([, code = '']) => code);
}

function missing(texts: readonly string[]): string[] {
  const found = new Set(texts.flatMap(injected));
  return Object.keys(findingCatalogue).filter((code) => !found.has(code));
}

const doctorTests = readdirSync(folder)
  .filter((name) => /^(hq-)?doctor.*\.test\.ts$/.test(name))
  .map((name) => readFileSync(join(folder, name), 'utf8'));

test('every finding of both doctors has a fault that is injected', () => {
  expect(missing(doctorTests)).toEqual([]);
});

test.each(['disk_worn', 'connections_short'])('%s is named when nobody injects it', (code) => {
  const without = doctorTests.map((text) => text.replaceAll(`'${code}'`, "'other'"));
  expect(missing(without)).toEqual([code]);
});
