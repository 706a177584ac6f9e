/** The parts of `WebAssembly` used here. Only TypeScript's `DOM` library declares it, along with a whole browser. */
declare namespace WebAssembly {
  function validate(bytes: Uint8Array): boolean;

  class Module {
    constructor(bytes: Uint8Array);
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }

  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }

  interface Memory {
    readonly buffer: ArrayBuffer;
  }

  interface Global {
    readonly value: unknown;
  }

  class RuntimeError extends Error {}
}
