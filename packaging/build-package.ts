/** One .deb: a tree of files as they will be installed, and dpkg-deb around it. No network. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  changelog,
  control,
  copyright,
  lintianOverrides,
  maintainerScripts,
  type Release,
} from './debian-files.ts';
import { keepPrebuilt, sqliteAddon } from './native-parts.ts';
import { packagesOf } from './node-packages.ts';
import type { Architecture, Product } from './product.ts';

export interface BuiltPackage {
  readonly file: string;
  readonly bytes: number;
  readonly installed_bytes: number;
}

/** What npm packages carry and no program reads: by ending anywhere, by name at their top alone. */
const unread = [
  /\.(ts|mts|cts|map|md|markdown|c|cc|cpp|h|hpp|gyp|gypi|yml|yaml|flow|sh)$/i,
  /\/\.eslintrc[^/]*$/,
  /^\/(tests?|docs?|examples?|benchmarks?|Makefile|\.[^/]+)$/i,
];

export function buildPackage(options: {
  root: string;
  out: string;
  product: Product;
  architecture: Architecture;
  release: Release;
}): BuiltPackage {
  const { root, out, product, release } = options;
  const architecture = product.native ? options.architecture : 'all';
  const tree = join(out, 'tree', `${product.name}-${architecture}`);
  rmSync(tree, { recursive: true, force: true });
  const home = join(tree, 'usr/lib', product.name);
  copyCode(root, home, product);
  const packages = packagesOf(root, product.code);
  for (const folder of packages) copyPackage(root, home, folder);
  if (product.native) addNative(root, home, options.architecture, join(out, 'native'));
  addSystemFiles(root, tree, product);
  addDocuments(root, tree, product, release, packages);
  const installed_bytes = settle(tree, release.at);
  writeControl(tree, product, control(product, release, architecture, installed_bytes), release.at);
  const file = join(out, `${product.name}_${release.version}_${architecture}.deb`);
  dpkgDeb(tree, file, release.at);
  return { file, bytes: statSync(file).size, installed_bytes };
}

function copyCode(root: string, home: string, { code, data }: Product): void {
  for (const folder of [...code.map((each) => `dist/${each}`), ...data]) {
    const isRun = (path: string) => !/\.(ts|map|tsbuildinfo)$|tsconfig\.json$/.test(path);
    cpSync(join(root, folder), join(home, folder), { recursive: true, filter: isRun });
  }
  const { name, version, type, license } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  writeFileSync(
    join(home, 'package.json'),
    `${JSON.stringify({ name, version, type, license })}\n`,
  );
}

/** Its own nested packages are in the list of packages. */
function copyPackage(root: string, home: string, folder: string): void {
  const from = join(root, folder);
  const filter = (path: string) => {
    const inside = path.slice(from.length);
    if (inside.startsWith('/node_modules')) return false;
    if (folder.endsWith('better-sqlite3') && /^\/(build|deps|src)/.test(inside)) return false;
    return !unread.some((pattern) => pattern.test(inside));
  };
  cpSync(from, join(home, folder), { recursive: true, filter });
}

function addNative(root: string, home: string, architecture: Architecture, cache: string): void {
  const release = join(home, 'node_modules/better-sqlite3/build/Release');
  mkdirSync(release, { recursive: true });
  cpSync(sqliteAddon(root, architecture, cache), join(release, 'better_sqlite3.node'));
  keepPrebuilt(join(home, 'node_modules/@serialport/bindings-cpp'), architecture);
}

function addSystemFiles(root: string, tree: string, product: Product): void {
  for (const [name, place] of Object.entries(product.system_files)) {
    cpSync(join(root, 'systemd', name), join(tree, 'usr', place));
  }
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync(`../lib/${product.name}/${product.entry}`, join(tree, 'usr/bin', product.name));
  chmodSync(join(tree, 'usr/lib', product.name, product.entry), 0o755);
  addCompletions(root, tree, product);
}

/** As the command itself prints them, where Debian's shells look. */
function addCompletions(root: string, tree: string, { name, entry }: Product): void {
  const places = {
    bash: `bash-completion/completions/${name}`,
    zsh: `zsh/vendor-completions/_${name}`,
    fish: `fish/vendor_completions.d/${name}.fish`,
  };
  for (const [shell, place] of Object.entries(places)) {
    const parameters = [join(root, entry), 'completion', shell];
    const script = execFileSync(process.execPath, parameters, { encoding: 'utf8' });
    const file = join(tree, 'usr/share', place);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, script);
  }
}

function addDocuments(
  root: string,
  tree: string,
  product: Product,
  release: Release,
  packages: readonly string[],
): void {
  const folder = join(tree, 'usr/share/doc', product.name);
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'README.md'), join(folder, 'README.md'));
  cpSync(join(root, 'docs'), join(folder, 'docs'), { recursive: true });
  writeFileSync(join(folder, 'changelog.gz'), gzipSync(changelog(product, release), { level: 9 }));
  const licences = packages.map((each) => {
    const text = readFileSync(join(root, each, 'package.json'), 'utf8');
    const { name, version, license } = JSON.parse(text) as Record<string, unknown>;
    return `${name} ${version}: ${typeof license === 'string' ? license : 'see its folder'}`;
  });
  writeFileSync(join(folder, 'copyright'), copyright(licences));
  const overrides = join(tree, 'usr/share/lintian/overrides', product.name);
  mkdirSync(dirname(overrides), { recursive: true });
  writeFileSync(overrides, lintianOverrides(product));
}

/** Modes and times that do not depend on who built it, where and when. @returns bytes of all files */
function settle(folder: string, at: Date): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) continue;
    if (stat.isDirectory()) bytes += settle(path, at);
    else {
      const isProgram = basename(dirname(path)) === 'cli' && /^#!/.test(head(path));
      chmodSync(path, isProgram ? 0o755 : 0o644);
      bytes += stat.size;
    }
    utimesSync(path, at, at);
  }
  chmodSync(folder, 0o755);
  return bytes;
}

function head(path: string): string {
  return readFileSync(path).subarray(0, 2).toString('latin1');
}

function writeControl(tree: string, product: Product, text: string, at: Date): void {
  const folder = join(tree, 'DEBIAN');
  mkdirSync(folder);
  writeFileSync(join(folder, 'control'), text);
  for (const [name, body] of Object.entries(maintainerScripts(product))) {
    writeFileSync(join(folder, name), body);
    chmodSync(join(folder, name), 0o755);
  }
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), at, at);
}

function dpkgDeb(tree: string, file: string, at: Date): void {
  const parameters = ['--root-owner-group', '-Zxz', '--build', tree, file];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(Math.floor(at.getTime() / 1000)) };
  const made = spawnSync('dpkg-deb', parameters, { encoding: 'utf8', env });
  if (made.status !== 0) throw new Error(`dpkg-deb: ${made.stderr || made.error}`);
}
