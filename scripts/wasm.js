/**
 * Compiles the AssemblyScript modules to `dist/wasm/NAME.BUILD.wasm`, if they are older than their sources. Each runs
 * in a separate thread, because a compilation keeps a core busy for seconds.
 */
import { readdirSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const root = fileURLToPath(new URL('..', import.meta.url));
const script = fileURLToPath(import.meta.url);

/** The builds of each module, and the folder of its sources, whose `index.ts` exports the functions of the bridge. */
const modules = {
  kernels: { folder: 'src/kernels/wasm/assembly', builds: ['relaxed', 'simd'] },
  json: { folder: 'src/codec/json/wasm/assembly', builds: ['simd'] },
};

/** WebAssembly features of each build. `relaxed` uses fused multiply-add, and is chosen if the runtime supports it. */
const features = { simd: ['simd'], relaxed: ['simd', 'relaxed-simd'] };

/**
 * 112: a generic function returns v128, but no export does. 201: `usize` times `i32`, which only matters in 64-bit
 * memory.
 */
const needlessWarnings = ['112', '201'];

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isFresh(output, folder) {
  const sources = readdirSync(join(root, folder)).map((name) => join(root, folder, name));
  const newest = Math.max(...[script, ...sources].map(changedAt));
  return changedAt(join(root, output)) > newest;
}

async function compile({ folder, build, output }) {
  const { main } = await import('assemblyscript/asc');
  const { error, stderr } = await main([
    `${folder}/index.ts`,
    ...['--outFile', output, '--baseDir', root, '--runtime', 'stub', '--noAssert', '--optimizeLevel', '3'],
    ...features[build].flatMap((feature) => ['--enable', feature]),
    ...needlessWarnings.flatMap((warning) => ['--disableWarning', warning]),
  ]);
  process.stderr.write(stderr.toString());
  if (error) throw error;
}

export async function buildWasm() {
  const stale = Object.entries(modules).flatMap(([name, { folder, builds }]) =>
    builds
      .map((build) => ({ folder, build, output: `dist/wasm/${name}.${build}.wasm` }))
      .filter(({ output }) => !isFresh(output, folder)),
  );
  // `once` rejects if the thread throws.
  await Promise.all(stale.map((job) => once(new Worker(script, { workerData: job }), 'exit')));
}

if (!isMainThread && workerData) await compile(workerData);
else if (process.argv[1] === script) await buildWasm();
