/** `npm run package`: .deb files for amd64 and arm64, from what `npm ci` and `npm run build` left. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../shared/runtime/clock.ts';
import { printJson, printLine, printTable } from '../shared/runtime/command-output.ts';
import { type BuiltPackage, buildPackage } from './build-package.ts';
import { missingTools } from './native-parts.ts';
import { architectures, products } from './product.ts';

const root = join(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist/packages') },
    arch: { type: 'string', multiple: true, default: [...architectures] },
    json: { type: 'boolean', default: false },
  },
});
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};
const release = { version, at: statSync(join(root, 'CHANGELOG.md')).mtime };

const built: (BuiltPackage & { package: string; seconds: number })[] = [];
const skipped: { package: string; architecture: string; missing: string }[] = [];
for (const product of products) {
  for (const architecture of architectures.filter((each) => values.arch.includes(each))) {
    if (!product.native && built.some(({ package: name }) => name === product.name)) continue;
    const missing = product.native ? missingTools(architecture) : null;
    if (missing !== null) {
      skipped.push({ package: product.name, architecture, missing });
      continue;
    }
    const from = systemClock.monotonic();
    const made = buildPackage({ root, out: values.out, product, architecture, release });
    const seconds = Math.round((systemClock.monotonic() - from) / 100) / 10;
    built.push({ package: product.name, ...made, seconds });
  }
}

if (values.json) printJson({ built, skipped });
else {
  const mebibytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
  printTable(
    ['FILE', 'MIB', 'INSTALLED MIB', 'SECONDS'],
    built.map((one) => [
      one.file,
      mebibytes(one.bytes),
      mebibytes(one.installed_bytes),
      one.seconds,
    ]),
  );
  for (const one of skipped) {
    printLine(`not built: ${one.package} for ${one.architecture}: ${one.missing}`);
  }
}
if (skipped.length > 0) process.exitCode = 1;
