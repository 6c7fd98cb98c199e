/** The secret of an enrolment that HQ has not answered yet. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pendingSecret } from '../../gateway/sync/credential.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('the next try has the same secret, which only its user can read', () => {
  const credential = join(workspace.folder(), 'credential.json');
  const { secret, path } = pendingSecret(credential);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(pendingSecret(credential)).toEqual({ secret, path });
  expect(readFileSync(path, 'utf8')).toBe(secret);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a file that a power cut left empty is no secret', () => {
  const credential = join(workspace.folder(), 'credential.json');
  const { path } = pendingSecret(credential);
  writeFileSync(path, '');
  const { secret } = pendingSecret(credential);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(pendingSecret(credential).secret).toBe(secret);
});
