/**
 * Compiles the native parts after `npm ci`, with what is on the machine: the headers that came with
 * Node.js. Their own install scripts would first fetch prebuilt binaries from a release page and
 * headers from another site; a store's network often lets neither through.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';

const native = [
  { name: 'better-sqlite3', built: 'build/Release/better_sqlite3.node' },
  { name: 'node-pty', built: 'build/Release/pty.node' },
];

const prefix = path.dirname(path.dirname(realpathSync(process.execPath)));
const hasHeaders = existsSync(path.join(prefix, 'include/node/node.h'));
const nodedir = process.env.npm_config_nodedir ?? (hasHeaders ? prefix : undefined);
/** npm brings node-gyp along and names it to scripts like this one. */
const nodeGyp = process.env.npm_config_node_gyp;

for (const { name, built } of native) {
  const folder = path.join(import.meta.dirname, 'node_modules', name);
  if (!existsSync(folder) || existsSync(path.join(folder, built))) continue;
  if (nodeGyp === undefined) throw new Error('run this through npm: npm run install');
  const parameters = [nodeGyp, 'rebuild', '--release'];
  if (nodedir !== undefined) parameters.push(`--nodedir=${nodedir}`);
  process.stdout.write(`compiling ${name}\n`);
  const made = spawnSync(process.execPath, parameters, { cwd: folder, encoding: 'utf8' });
  if (made.status !== 0) {
    const reason = 'It needs g++, make, python3 and the headers of Node.js.';
    process.stderr.write(`${made.stdout}${made.stderr}\n${name} did not compile. ${reason}\n`);
    process.exit(1);
  }
}
