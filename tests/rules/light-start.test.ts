import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { sourceFiles } from './sources.ts';

const files = new Map(sourceFiles('gateway', 'shared').map(({ path, text }) => [path, text]));

/** Everything that is loaded with a file: types and `import(…)` are not. */
function loadedWith(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const text = files.get(path);
  if (text === undefined) return seen;
  const found = text.matchAll(
    /(?:^|\n)(?:import|export)\s+(?!type\b)[^;'"]*?(?:from\s+)?'([^']+)'/g,
  );
  for (const [, name = ''] of found) {
    loadedWith(name.startsWith('.') ? posix.join(posix.dirname(path), name) : name, seen);
  }
  return seen;
}

const commands = [...files.keys()].filter((path) =>
  /^gateway\/cli\/[\w-]+-command\.ts$/.test(path),
);

test.each(commands)(
  '%s loads no transport, no database and no server before it needs them',
  (path) => {
    const loaded = [...loadedWith(path)].filter((name) => !name.endsWith('.ts'));
    const heavy = /^(aedes|better-sqlite3|fastify|modbus-serial|mqtt|quickjs|serialport|undici)/;
    expect(loaded.filter((name) => heavy.test(name))).toEqual([]);
    expect(loaded).toContain('zod');
  },
);

test('the entry file loads no command before it is typed', () => {
  expect([...loadedWith('gateway/cli/footbridge.ts')]).not.toContain('zod');
});

test.each(['gateway/buffer/writer-thread.ts', 'gateway/profiles/script-thread.ts'])(
  '%s loads no schemas: another zod would cost 4 MB',
  (path) => {
    expect([...loadedWith(path)]).not.toContain('zod');
  },
);

test('the daemon loads no engine for scripts before a sensor needs one', () => {
  expect([...loadedWith('gateway/main.ts')]).not.toContain('quickjs-emscripten-core');
});
