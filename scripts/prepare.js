/**
 * Builds everything that the tests run, once before all of them (Vitest's `globalSetup`), so that `npm ci` is the only
 * preparation: the WebAssembly modules, the page, and the service for tests that start it as a process.
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bundleService } from './service.js';
import { buildWasm } from './wasm.js';
import { buildWeb } from './web.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Only compiles; `npm run typecheck` and `npm run build` check the types. */
async function buildService() {
  const argv = ['--project', `${root}tsconfig.build.json`, '--noCheck'];
  const compiler = new Worker(createRequire(import.meta.url).resolve('typescript/bin/tsc'), { argv });
  const [code] = await once(compiler, 'exit');
  if (code !== 0) throw new Error(`the service could not be compiled (${code})`);
  await bundleService();
}

export async function setup() {
  await Promise.all([buildWasm(), buildWeb(), buildService()]);
}
