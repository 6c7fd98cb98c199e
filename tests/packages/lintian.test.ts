/** Debian's own check of what is built for it. */
import { execFile, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../support/debian-part.ts';
import { built } from './built.ts';

const lintian = {
  name: 'lintian',
  isInstalled: () => spawnSync('lintian', ['--version']).status === 0,
};

describeWith(lintian, 'Debian’s own check', () => {
  test.each(['footbridge', 'footbridge-hq'] as const)('finds no error in %s', async (name) => {
    const file = built(name, '0.1.0');
    onTestFinished(() => rmSync(dirname(file), { recursive: true, force: true }));
    const { errors, code } = await findings(file);
    expect(errors).toEqual([]);
    expect(code).toBe(0);
  });
});

/** @returns its lines of errors, and how it ended: by an error of its own as well. */
async function findings(file: string): Promise<{ errors: string[]; code: number }> {
  const words = ['--fail-on', 'error', '--allow-root', file];
  const { stdout, code } = await promisify(execFile)('lintian', words).then(
    (ran) => ({ ...ran, code: 0 }),
    (failed: { stdout: string; code: number }) => failed,
  );
  return { errors: stdout.split('\n').filter((line) => line.startsWith('E:')), code };
}
