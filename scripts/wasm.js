/**
 * Compiles the AssemblyScript modules to `dist/wasm/NAME.BUILD.wasm`, where one is older than its sources.
 *
 * `npm run build` runs it, and Vitest before all tests (`globalSetup`), so that tests need nothing but `npm ci`.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Folder of each module's sources, whose `index.ts` exports what the bridge calls, and its builds. */
const modules = {
  json: { folder: 'src/codec/json/wasm/assembly', builds: ['simd'] },
  kernels: { folder: 'src/kernels/wasm/assembly', builds: ['simd', 'relaxed'] },
};

/** Features of WebAssembly that a build may use; `relaxed` has fused multiply-add, and is taken where the runtime knows it. */
const features = { simd: ['simd'], relaxed: ['simd', 'relaxed-simd'] };

/** 112: a generic returns v128, though no export does. 201: `usize` times `i32`, which matters in 64-bit memory alone. */
const needlessWarnings = ['112', '201'];

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isFresh(output, folder) {
  const sources = readdirSync(join(root, folder)).map((name) => join(root, folder, name));
  const newest = Math.max(...[fileURLToPath(import.meta.url), ...sources].map(changedAt));
  return changedAt(join(root, output)) > newest;
}

export async function setup() {
  for (const [name, { folder, builds }] of Object.entries(modules))
    for (const build of builds) {
      const output = `dist/wasm/${name}.${build}.wasm`;
      if (isFresh(output, folder)) continue;
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
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup();
