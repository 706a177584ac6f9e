/** The bridge to the kernels, which compute in a separate memory that no other code accesses. Addresses are bytes. */
import type { FloatArray, TensorData } from '../../tensor/tensor.js';
import type { Functions, Shared } from './functions.js';

/** The address of an optional operand that was not given. */
export const NONE = 0;

/** The address of a piece of an array, and its layout. */
export type Piece = [at: number, runs: number, S: number, C: number, channel: number];

/** A memory that a large request grew beyond this is returned to the system afterwards; a smaller one is kept. */
const KEPT_BYTES = 2 ** 28;

export class Memory {
  shared!: Shared;
  private float32!: Functions;
  private float64!: Functions;
  private view = new Uint8Array();
  private depth = 0;

  constructor(private readonly module: WebAssembly.Module) {
    this.instantiate();
  }

  private instantiate(): void {
    const { exports } = new WebAssembly.Instance(this.module);
    this.shared = exports as unknown as Shared;
    const ofSuffix = (suffix: string) =>
      Object.fromEntries(
        Object.entries(exports)
          .filter(([name]) => name.endsWith(suffix))
          .map(([name, value]) => [name.slice(0, -suffix.length), value]),
      ) as unknown as Functions;
    this.float32 = ofSuffix('32');
    this.float64 = ofSuffix('64');
  }

  /** The functions for arrays of x's dtype. */
  of(x: FloatArray): Functions {
    return x instanceof Float32Array ? this.float32 : this.float64;
  }

  /** Runs `work`, then releases all memory that was taken in it. */
  scope<Result>(work: () => Result): Result {
    const mark = this.shared.mark();
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
      this.shared.release(mark);
      if (this.depth === 0 && this.shared.memory.buffer.byteLength > KEPT_BYTES) this.instantiate();
    }
  }

  /** @throws {RangeError} if the memory cannot grow that far */
  take(bytes: number): number {
    try {
      // Addresses are unsigned, but come out of WebAssembly as signed integers.
      return this.shared.take(bytes) >>> 0;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new RangeError(`${bytes} bytes of WebAssembly memory cannot be allocated`, { cause: error });
    }
  }

  /** Takes memory for an array and copies it there. */
  put(data: TensorData): number {
    const address = this.take(data.byteLength);
    this.write(address, data);
    return address;
  }

  /** The same for an optional operand. */
  putIfGiven(data: TensorData | undefined): number {
    return data ? this.put(data) : NONE;
  }

  write(address: number, data: TensorData): void {
    this.bytes().set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), address);
  }

  read(address: number, into: TensorData): void {
    const from = this.bytes().subarray(address, address + into.byteLength);
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(from);
  }

  clear(address: number, bytes: number): void {
    this.bytes().fill(0, address, address + bytes);
  }

  /** A view is detached whenever the memory grows, including in a kernel. */
  private bytes(): Uint8Array {
    const { buffer } = this.shared.memory;
    if (this.view.buffer !== buffer) this.view = new Uint8Array(buffer);
    return this.view;
  }
}
