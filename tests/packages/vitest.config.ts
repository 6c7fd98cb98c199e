/** `npm run packages`: in a Debian of its own, apart from `npm test`, because it is made first. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['dist/tests/packages/**/*.test.js'],
    // One Debian at a time is enough for two cores.
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 400_000,
  },
});
