/** Packages as `npm run package` builds them, also of a version to come. */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackage } from '../../packaging/build-package.ts';
import { type Product, products } from '../../packaging/product.ts';
import { root } from '../rules/sources.ts';

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** @returns the .deb file. */
export function built(
  name: Product['name'],
  version: string,
  options: { from?: string; out?: string } = {},
): string {
  const product = products.find((each) => each.name === name);
  if (product === undefined) throw new Error(name);
  const { from = root, out = mkdtempSync(join(tmpdir(), 'footbridge-package-')) } = options;
  const release = { version, at: new Date(Date.UTC(2026, 0, 1)) };
  return buildPackage({ root: from, out, product, architecture, release }).file;
}

/** The program of a version to come: one step of the buffer's schema more. @returns `folder`. */
export function versionToCome(folder: string, version: string): string {
  for (const each of ['dist/gateway', 'dist/shared', 'gateway', 'docs', 'systemd']) {
    cpSync(join(root, each), join(folder, each), { recursive: true });
  }
  cpSync(join(root, 'README.md'), join(folder, 'README.md'));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version }));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const steps = join(folder, 'dist/gateway/buffer/schema-steps.js');
  appendFileSync(steps, `\nschemaSteps.push(${JSON.stringify(stepToCome)});\n`);
  return folder;
}

const stepToCome = {
  up: 'ALTER TABLE life ADD weather TEXT; CREATE TABLE forecasts (day TEXT PRIMARY KEY) STRICT;',
  down: 'ALTER TABLE life DROP weather; DROP TABLE forecasts;',
};
