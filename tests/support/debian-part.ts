/** Parts that come from Debian, not from npm: absent on a developer's machine, present in CI. */
import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/**
 * A suite that needs a part of the machine. Where the part is missing the suite is skipped under a
 * name that says why, except in CI, where it fails.
 */
export function describeWith(
  part: { readonly name: string; readonly isInstalled: () => boolean },
  title: string,
  suite: () => void,
): void {
  if (part.isInstalled()) {
    describe(`${title} (${part.name})`, suite);
  } else if (process.env['CI'] === undefined) {
    describe.skip(`${title} (skipped: ${part.name} is not installed)`, suite);
  } else {
    throw new Error(`${part.name} is not installed, and in CI no suite may be skipped`);
  }
}

export const socat = {
  name: 'socat',
  isInstalled: () => spawnSync('socat', ['-V']).status === 0,
};

export const pymodbus = {
  name: 'python3-pymodbus',
  isInstalled: () => spawnSync('/usr/bin/python3', ['-c', 'import pymodbus']).status === 0,
};
