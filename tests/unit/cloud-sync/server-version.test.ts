import { expect, it } from 'vitest';
import { assertSupported, isSupported } from '../../../cloud-sync/db/server-version.ts';

it.each([
  [140020, false],
  [150013, false],
  [150014, true],
  [160009, false],
  [160010, true],
  [170005, false],
  [170006, true],
  [180000, true],
  [190001, true],
])('PostgreSQL %i: %s', (version, supported) => {
  expect(isSupported(version)).toBe(supported);
});

it('a refusal names the version', () => {
  expect(() => assertSupported({ number: 150013, text: '15.13' })).toThrow(
    expect.objectContaining({
      code: 'postgres_unsupported',
      detail: expect.stringContaining('15.13'),
    }),
  );
});
