import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

/** What only `npm run test:all` runs: what takes long, or needs programs apart from Node.js. */
const LONG = [
  'test/**/*.long.test.ts',
  'test/deploy/**',
  // Each starts many processes.
  'test/**/redis{,-store}.test.ts',
  'test/http/processes.test.ts',
  'test/http/plugins/tracing.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(process.env.TESTS === 'all' ? [] : LONG)],
    globalSetup: ['scripts/prepare.js'],
    execArgv: ['--import', fileURLToPath(new URL('test/support/end-with-parent.mjs', import.meta.url))],
    // Vitest would leave one processor to its main process, which has little to do.
    maxWorkers: availableParallelism(),
    // Most tests load the whole service, which takes longer than they do: the files of a worker share what is loaded.
    isolate: false,
    // They end what hangs, on a machine that is as busy as can be; no test is decided by them.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      thresholds: {
        'src/layers/**': { lines: 95 },
        'src/sessions/**': { lines: 95 },
      },
    },
  },
});
