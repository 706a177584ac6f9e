/** The WebAssembly modules that `npm run build` made, in the build that this runtime takes. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';

/** `relaxed` has fused multiply-add; answers of the two builds may differ in the last bits. */
export type Build = 'relaxed' | 'simd';

const { resolve } = createRequire(import.meta.url);

function bytesOf(name: string, build: Build): Buffer {
  return readFileSync(resolve(`#wasm/${name}.${build}.wasm`));
}

export function bestBuild(name: string): Build {
  const bytes = bytesOf(name, 'relaxed');
  // Node.js 20 knows relaxed SIMD but has it switched off; elsewhere V8 would complain of the flag on stderr.
  if (!WebAssembly.validate(bytes) && process.versions.node.startsWith('20.'))
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes) ? 'relaxed' : 'simd';
}

/**
 * Compiled with the optimising compiler at once. V8's baseline compiler would serve the first calls eight times as
 * slowly (43 ms against 5 ms for a product of 512³), and a running call is never replaced.
 */
export function compileModule(name: string, build: Build = bestBuild(name)): WebAssembly.Module {
  setFlagsFromString('--no-liftoff');
  setFlagsFromString('--no-wasm-lazy-compilation');
  try {
    return new WebAssembly.Module(bytesOf(name, build));
  } finally {
    setFlagsFromString('--liftoff');
    setFlagsFromString('--wasm-lazy-compilation');
  }
}
