/** The bridge: it alone knows that the kernels compute in a memory of their own. Addresses are bytes from its start. */
import type { FloatArray, TensorData } from '../../tensor/tensor.js';

/** Address of no array: what an optional operand is that was not given. */
export const NONE = 0;

/** What the module exports once for each float dtype, as `name32` and `name64`. */
export interface Functions {
  matmul(
    a: number,
    b: number,
    c: number,
    bias: number,
    M: number,
    N: number,
    K: number,
    transposeA: boolean,
    transposeB: boolean,
    accumulate: boolean,
  ): void;
  /** The plans live as long as the scope that they are made in; `axes` is as convolution.ts writes it. */
  planCorrelate(axes: number, weight: number, groups: number, A: number, B: number): number;
  correlate(plan: number, folded: number, bias: number, windowed: number): void;
  flip(to: number, weight: number, A: number, B: number, K: number): void;
  planSpread(axes: number, weight: number, groups: number, A: number, B: number): number;
  spread(plan: number, windowed: number, bias: number, folded: number): void;
  planWeightGradient(axes: number, groups: number, A: number, B: number): number;
  addWeightGradient(plan: number, folded: number, windowed: number, dweight: number): void;

  /** Over one piece of an array, as assembly/channels.ts describes it; sums and means are float64. */
  sums(...piece: [...Piece, sums: number]): void;
  moments(...piece: [...Piece, state: number]): void;
  split(mean: number, C: number, centers: number, rests: number): void;
  normalize(...piece: [...Piece, by: number]): void;
  normalizeSums(x: number, ...dout: [...Piece, mean: number, sums: number, products: number]): void;
  normalizeBackward(x: number, ...dout: [...Piece, by: number]): void;

  recur(
    kind: number,
    xs: number,
    weightIh: number,
    weightHh: number,
    bias: number,
    lengths: number,
    gates: number,
    h: number,
    c: number,
    T: number,
    N: number,
    I: number,
    H: number,
  ): void;
  recurBackward(
    kind: number,
    weightHh: number,
    lengths: number,
    gates: number,
    h: number,
    c: number,
    douts: number,
    dh: number,
    dc: number,
    dgates: number,
    T: number,
    N: number,
    H: number,
  ): void;
  recurGradients(
    xs: number,
    h: number,
    weightIh: number,
    dgates: number,
    dxs: number,
    dweightIh: number,
    dweightHh: number,
    dbias: number,
    rows: number,
    I: number,
    H: number,
    R: number,
  ): void;

  maxPool(axes: number, planes: number, x: number, out: number, indices: number): void;
  maxPoolBackward(planes: number, outputs: number, plane: number, indices: number, dout: number, dx: number): void;
  averagePool(axes: number, planes: number, ...operands: [...Counts, x: number, out: number]): void;
  averagePoolBackward(axes: number, planes: number, ...operands: [...Counts, dout: number, dx: number]): void;

  applyMask(x: number, mask: number, divisor: number, count: number): void;
}

/** A list for each axis. */
export type Counts = [d: number, h: number, w: number];

/** Where a piece of an array stands, and what it is. */
export type Piece = [at: number, runs: number, S: number, C: number, channel: number];

/** What it exports once. */
interface Shared {
  readonly memory: WebAssembly.Memory;
  take(bytes: number): number;
  mark(): number;
  release(mark: number): void;
  dropoutMask(seedLow: number, seedHigh: number, threshold: number, first: number, mask: number, count: number): void;
}

/** A memory that one large request blew up over this is given back to the system after it; smaller ones are kept. */
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

  /** Gives back, at the end of `work`, all that was taken in it. */
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

  /** @throws {RangeError} where the memory cannot grow so far */
  take(bytes: number): number {
    try {
      // Addresses are unsigned, but come out of WebAssembly as signed integers.
      return this.shared.take(bytes) >>> 0;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new RangeError(`${bytes} bytes of WebAssembly memory cannot be had`, { cause: error });
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

  /** A view is detached whenever the memory grows, in a kernel too. */
  private bytes(): Uint8Array {
    const { buffer } = this.shared.memory;
    if (this.view.buffer !== buffer) this.view = new Uint8Array(buffer);
    return this.view;
  }
}
