/** Which npm packages a side of the product needs: those that its compiled code imports, and theirs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

/** `import … from 'name'`, `import 'name'` and `import('name')` in compiled files; no relative ones. */
const importing =
  /(?:^import\s*|^(?:import|export)\b[^;'"]*\bfrom\s*|\bimport\()['"]([^'".][^'"]*)['"]/gm;

/** Wanted by others' install scripts alone, which have run. */
const installers = new Set(['node-addon-api', 'prebuild-install']);

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** @returns folders of packages, relative to the checkout, such as `node_modules/pino`. */
export function packagesOf(checkout: string, code: readonly string[]): string[] {
  const root = resolve(checkout);
  const found = new Set<string>();
  const add = (name: string, from: string) => {
    const folder = resolved(root, name, from);
    if (found.has(folder)) return;
    found.add(folder);
    const text = readFileSync(join(root, folder, 'package.json'), 'utf8');
    for (const each of Object.keys((JSON.parse(text) as Manifest).dependencies ?? {})) {
      if (!installers.has(each)) add(each, join(root, folder));
    }
  };
  for (const name of importedBy(code.map((folder) => join(root, 'dist', folder)))) add(name, root);
  return [...found].sort();
}

/** As Node looks for it: beside, above, at the top. */
function resolved(root: string, name: string, from: string): string {
  for (let at = from; at.startsWith(root); at = dirname(at)) {
    const folder = join(at, 'node_modules', name);
    if (existsSync(join(folder, 'package.json'))) return relative(root, folder);
  }
  throw new Error(`${name}, wanted by ${from}, is not installed: run npm ci`);
}

function importedBy(folders: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.js')) continue;
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, name = ''] of text.matchAll(importing)) {
        if (isBuiltin(name)) continue;
        names.add(name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
      }
    }
  }
  return names;
}
