/** Tests run compiled, so that what is tested is what ships (worker threads and entry files too). */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['dist/tests/**/*.test.js'],
    exclude: ['dist/tests/packages/**'],
    // Two cores: more files at once only make timings wider.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
