/** Loads the WebAssembly modules made by `npm run build`, in the best build that this runtime supports. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** `relaxed` has fused multiply-add; the results of the two builds may differ in the last bits. */
export type Build = 'relaxed' | 'simd';

const { resolve } = createRequire(import.meta.url);

const nodeMajor = Number(process.versions.node.split('.', 1)[0]);

function bytesOf(name: string, build: Build): Buffer {
  return readFileSync(resolve(`#wasm/${name}.${build}.wasm`));
}

export function bestBuild(name: string): Build {
  const bytes = bytesOf(name, 'relaxed');
  // Node.js 20 has relaxed SIMD behind a flag. Elsewhere, V8 would print an error about the flag on stderr.
  if (!WebAssembly.validate(bytes) && nodeMajor === 20) setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes) ? 'relaxed' : 'simd';
}

/**
 * V8 features that are disabled here. With the baseline compiler, Liftoff, the first calls take eight times as long
 * (43 ms instead of 5 ms for a product of 512³), and the code of a running call is never replaced. Inlining relies on
 * call counts from Liftoff's code: without them, V8 14.6 (Node.js 26) aborts the process.
 */
const SWITCHED_OFF = ['liftoff', 'wasm-lazy-compilation', ...(nodeMajor >= 26 ? ['wasm-inlining'] : [])];

/**
 * Compiles a module with the optimising compiler at once. Flags apply to the process, not to a thread: a module is
 * compiled in the main thread, and threads that are started afterwards receive it.
 */
export function compileModule(name: string, build?: Build): WebAssembly.Module {
  const key = `${name}.${build ?? 'best'}.wasm`;
  const compiled = getEnvironmentData(key) as WebAssembly.Module | undefined;
  if (compiled) return compiled;
  for (const flag of SWITCHED_OFF) setFlagsFromString(`--no-${flag}`);
  try {
    const module = new WebAssembly.Module(bytesOf(name, build ?? bestBuild(name)));
    setEnvironmentData(key, module);
    return module;
  } finally {
    for (const flag of SWITCHED_OFF) setFlagsFromString(`--${flag}`);
  }
}
