/** Whatever the doctor can find is put there for real by some test, and looked for in its first line. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findingCatalogue } from '../../shared/findings/catalogue.ts';
import type { CatalogueEntry } from '../../shared/findings/catalogue-entry.ts';
import { root } from './sources.ts';

const folder = join(root, 'tests/integration');

/** In the tests of the doctor: the code of each expectation, and of each case of a table. */
function injected(text: string): string[] {
  const expected = text.matchAll(/expectFirst\(\s*'(\w+)'/g);
  const inTables = text.matchAll(/^ +\['(\w+)', \w+[.(]/gm);
  return [...expected, ...inTables].map(([, code = '']) => code);
}

function missing(texts: readonly string[]): string[] {
  const found = new Set(texts.flatMap(injected));
  const entries: [string, CatalogueEntry][] = Object.entries(findingCatalogue);
  return entries
    .filter(([, { symptom }]) => symptom !== 'hq')
    .map(([code]) => code)
    .filter((code) => !found.has(code));
}

const doctorTests = readdirSync(folder)
  .filter((name) => /^doctor-.*\.test\.ts$/.test(name))
  .map((name) => readFileSync(join(folder, name), 'utf8'));

test('every finding of the gateway’s doctor has a fault that is injected', () => {
  expect(missing(doctorTests)).toEqual([]);
});

test('a finding whose fault nobody injects is named', () => {
  const without = doctorTests.map((text) => text.replaceAll("'disk_worn'", "'disk_new'"));
  expect(missing(without)).toEqual(['disk_worn']);
});
