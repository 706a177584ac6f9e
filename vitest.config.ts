import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['scripts/wasm.js', 'scripts/web.js'],
    testTimeout: 60_000,
    // Some compile the service first.
    hookTimeout: 60_000,
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
