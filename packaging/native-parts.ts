/**
 * Native parts for one architecture: better-sqlite3 compiled for it with the headers that came with
 * Node.js, and of serialport the prebuilt file that npm delivered.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Architecture } from './product.ts';

/** Names of the architectures elsewhere: in Node, and in the tools of the cross compiler. */
const names = {
  amd64: { node: 'x64', tools: 'x86_64-linux-gnu' },
  arm64: { node: 'arm64', tools: 'aarch64-linux-gnu' },
} as const;

/** Why the native parts cannot be made here, or null. */
export function missingTools(architecture: Architecture): string | null {
  const { tools, node } = names[architecture];
  if (node === process.arch) return null;
  const isThere = spawnSync(`${tools}-g++`, ['--version']).status === 0;
  return isThere ? null : `g++-${tools.replace('_', '-')} is not installed`;
}

/** @returns the addon for this architecture, stripped; built once and kept below `cache`. */
export function sqliteAddon(root: string, architecture: Architecture, cache: string): string {
  const kept = join(cache, `better_sqlite3-${process.versions.modules}-${architecture}.node`);
  if (existsSync(kept)) return kept;
  const { node, tools } = names[architecture];
  const source = join(root, 'node_modules/better-sqlite3');
  const built = 'build/Release/better_sqlite3.node';
  mkdirSync(cache, { recursive: true });
  if (node === process.arch) copyFileSync(join(source, built), kept);
  else {
    const copy = join(cache, `better-sqlite3-${architecture}`);
    rmSync(copy, { recursive: true, force: true });
    cpSync(source, copy, { recursive: true, filter: (path) => path !== join(source, 'build') });
    compile(copy, architecture);
    copyFileSync(join(copy, built), kept);
    rmSync(copy, { recursive: true });
  }
  run(strip(node, tools), ['--strip-unneeded', kept], {});
  return kept;
}

/** Drops the builds for others from a copied @serialport/bindings-cpp. */
export function keepPrebuilt(folder: string, architecture: Architecture): void {
  const { node, tools } = names[architecture];
  const prebuilds = join(folder, 'prebuilds');
  for (const name of readdirSync(prebuilds)) {
    if (name !== `linux-${node}`) rmSync(join(prebuilds, name), { recursive: true });
  }
  const own = join(prebuilds, `linux-${node}`);
  for (const file of readdirSync(own)) {
    // Debian's C library is glibc.
    if (file.includes('musl')) rmSync(join(own, file));
    else run(strip(node, tools), ['--strip-unneeded', join(own, file)], {});
  }
}

function compile(folder: string, architecture: Architecture): void {
  const { node, tools } = names[architecture];
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const gyp = join(prefix, 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js');
  const nodeGyp = process.env['npm_config_node_gyp'] ?? gyp;
  const parameters = ['rebuild', '--release', `--arch=${node}`, `--nodedir=${prefix}`];
  run(process.execPath, [nodeGyp, ...parameters], {
    cwd: folder,
    env: { ...process.env, CC: `${tools}-gcc`, CXX: `${tools}-g++`, AR: `${tools}-ar` },
  });
}

function strip(node: string, tools: string): string {
  return node === process.arch ? 'strip' : `${tools}-strip`;
}

function run(program: string, parameters: readonly string[], options: object): void {
  const ended = spawnSync(program, parameters, { encoding: 'utf8', ...options });
  if (ended.status === 0) return;
  throw new Error(`${program} ${parameters.join(' ')}: ${ended.stderr || ended.error}`);
}
