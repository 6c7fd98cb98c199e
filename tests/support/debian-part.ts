/** Parts that come from Debian, not from npm: absent on a developer's machine, present in CI. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';

interface Part {
  readonly name: string;
  readonly isInstalled: () => boolean;
}

/**
 * A suite that needs a part of the machine. Where the part is missing the suite is skipped under a
 * name that says why, except in CI, where it fails.
 */
export function describeWith(part: Part, title: string, suite: () => void): void {
  if (part.isInstalled()) {
    describe(`${title} (${part.name})`, suite);
  } else if (process.env['CI'] === undefined) {
    describe.skip(`${title} (skipped: ${part.name} is not installed)`, suite);
  } else {
    throw missing(part);
  }
}

/** One test that needs a part; like {@link describeWith}. */
export function testWith(
  part: Part,
  title: string,
  run: () => Promise<void>,
  timeout_ms?: number,
): void {
  if (part.isInstalled()) test(title, run, timeout_ms);
  else if (process.env['CI'] === undefined) {
    test.skip(`${title} (skipped: ${part.name} is not installed)`, run);
  } else throw missing(part);
}

function missing(part: Part): Error {
  return new Error(`${part.name} is not installed, and in CI no suite may be skipped`);
}

/** Makes the certificates of the tests. */
export const openssl: Part = {
  name: 'openssl',
  isInstalled: () => spawnSync('openssl', ['version']).status === 0,
};

export const socat = {
  name: 'socat',
  isInstalled: () => spawnSync('socat', ['-V']).status === 0,
};

export const pymodbus = {
  name: 'python3-pymodbus',
  isInstalled: () => spawnSync('/usr/bin/python3', ['-c', 'import pymodbus']).status === 0,
};

/** Has a client for Digest in its standard library. */
export const python: Part = {
  name: 'python3',
  isInstalled: () => existsSync('/usr/bin/python3'),
};

/** Checks rules and metrics as Prometheus reads them. */
export const promtool: Part = {
  name: 'prometheus',
  isInstalled: () => spawnSync('promtool', ['--version']).status === 0,
};

/** Debian keeps servers out of a user's PATH. */
export const mosquittoProgram = '/usr/sbin/mosquitto';

export const mosquitto: Part = {
  name: 'mosquitto',
  isInstalled: () => existsSync(mosquittoProgram),
};

/** Where it lies, below the name of the machine's architecture; undefined where it does not. */
export function faketimeLibrary(): string | undefined {
  const places = readdirSync('/usr/lib').map((each) =>
    join('/usr/lib', each, 'faketime', 'libfaketimeMT.so.1'),
  );
  return places.find((path) => existsSync(path));
}

/** A process whose wall clock jumps. */
export const faketime: Part = {
  name: 'libfaketime',
  isInstalled: () => faketimeLibrary() !== undefined,
};
