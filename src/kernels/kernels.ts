/**
 * The hot loops that the layers are made of, over typed arrays in row-major order.
 *
 * Every implementation returns the same results up to rounding; `plain/` is the definition. Arrays of one call have
 * one dtype unless the signature names another. Outputs never alias inputs unless the name says "in place".
 */
import type { FloatArray } from '../tensor/tensor.js';
import type { WindowAxes } from '../tensor/windows.js';

/** `c[M, N] = op(a)[M, K] · op(b)[K, N]`; a transposed operand is stored as `[K, M]` or `[N, K]`. */
export interface MatmulShape {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Adds to `c` instead of replacing it. */
  readonly accumulate?: boolean;
  /** `[N]`, added to every row; not together with `accumulate`. */
  readonly bias?: FloatArray | undefined;
}

/** An array seen as `[N, C, S]`: batch, channels, and all spatial axes as one. */
export interface ChannelShape {
  readonly N: number;
  readonly C: number;
  readonly S: number;
}

/**
 * The two sides of a convolution. The folded side has `A` channels per group, with planes of the axes' input size; the
 * windowed side has `B` channels per group, with one value per window. The weight is `[groups · B, A, K]` for K taps.
 */
export interface ConvolutionShape {
  readonly N: number;
  readonly groups: number;
  readonly A: number;
  readonly B: number;
  readonly axes: WindowAxes;
}

export interface Kernels {
  matmul(a: FloatArray, b: FloatArray, c: FloatArray, shape: MatmulShape): void;

  /** `sums[c] = Σ x[n, c, s]` over n and s. */
  sumPerChannel(x: FloatArray, sums: FloatArray, shape: ChannelShape): void;

  /** Mean and biased variance of each channel, in two passes. */
  moments(x: FloatArray, shape: ChannelShape, mean: Float64Array, variance: Float64Array): void;
  /** `out = (x - mean[c]) * rstd[c] * gamma[c] + beta[c]`. */
  normalize(
    x: FloatArray,
    shape: ChannelShape,
    by: { mean: Float64Array; rstd: Float64Array; gamma?: FloatArray | undefined; beta?: FloatArray | undefined },
    out: FloatArray,
  ): void;
  /** `sums[c] = Σ dout`, `products[c] = Σ dout * (x - mean[c]) * rstd[c]`. */
  normalizeSums(
    x: FloatArray,
    dout: FloatArray,
    shape: ChannelShape,
    by: { mean: Float64Array; rstd: Float64Array },
    sums: Float64Array,
    products: Float64Array,
  ): void;
  /** `dx = scale[c] * (dout - meanDout[c] - (x - mean[c]) * rstd[c] * meanProduct[c])`. */
  normalizeBackward(
    x: FloatArray,
    dout: FloatArray,
    shape: ChannelShape,
    by: {
      mean: Float64Array;
      rstd: Float64Array;
      scale: Float64Array;
      meanDout: Float64Array;
      meanProduct: Float64Array;
    },
    dx: FloatArray,
  ): void;

  /** `windowed[n, b, window] = bias[b] + Σ weight[b, a, tap] * folded[n, a, place of tap in window]`, per group. */
  correlate(
    folded: FloatArray,
    weight: FloatArray,
    bias: FloatArray | undefined,
    windowed: FloatArray,
    shape: ConvolutionShape,
  ): void;
  /** The transpose of `correlate`, from `windowed` to `folded`; bias is `[groups · A]`. */
  spread(
    windowed: FloatArray,
    weight: FloatArray,
    bias: FloatArray | undefined,
    folded: FloatArray,
    shape: ConvolutionShape,
  ): void;
  /** `dweight[b, a, tap] = Σ windowed[n, b, window] * folded[n, a, place of tap in window]`. */
  correlateSides(folded: FloatArray, windowed: FloatArray, dweight: FloatArray, shape: ConvolutionShape): void;

  /** Each window's first maximum (NaN exceeds every number) and its index in the plane. */
  maxPool(x: FloatArray, planes: number, axes: WindowAxes, out: FloatArray, indices: Int32Array): void;
  /** Adds each `dout` at the position of its window's maximum. `dx` is overwritten. */
  maxPoolBackward(dout: FloatArray, planes: number, axes: WindowAxes, indices: Int32Array, dx: FloatArray): void;
  /** `out` is the sum of each window divided by its count, the product of its `counts` along the three axes. */
  averagePool(x: FloatArray, planes: number, axes: WindowAxes, counts: AxisCounts, out: FloatArray): void;
  averagePoolBackward(dout: FloatArray, planes: number, axes: WindowAxes, counts: AxisCounts, dx: FloatArray): void;

  /** 1 where an element is kept, with probability 1 - rate. One seed and rate result in one mask everywhere. */
  dropoutMask(seed: number, rate: number, mask: Uint8Array): void;
  /** `out = mask ? x / divisor : 0`: dropped elements are 0, even if x is infinite or NaN. */
  applyMask(x: FloatArray, mask: Uint8Array, divisor: number, out: FloatArray): void;

  /**
   * Computes all steps of one direction: fills `gates` and all states except the initial ones, which `pass` already
   * holds. Without `gates`, no backward pass is possible.
   */
  recur(cell: Cell, inputs: RecurrenceInputs, pass: Pass | States, shape: RecurrenceShape): void;
  /**
   * The backward pass. `douts[S, H]` is the gradient of every step's hidden state. The gradients of the last states in
   * `dh` and `dc` are replaced by those of the initial states; the other gradients are overwritten.
   */
  recurBackward(
    cell: Cell,
    inputs: RecurrenceInputs,
    pass: Pass,
    douts: FloatArray | undefined,
    gradients: RecurrenceGradients,
    shape: RecurrenceShape,
  ): void;
}

/** Turns a step's pre-activations into its states. An implementation has a forward and a backward function for each. */
interface RecurrentCell {
  /** Names of the blocks of H rows in a weight, in order. */
  readonly gates: readonly string[];
  /** Whether a step has a cell state besides its hidden state. */
  readonly hasCellState: boolean;
}

export const cells = {
  tanh: { gates: ['hidden'], hasCellState: false },
  relu: { gates: ['hidden'], hasCellState: false },
  lstm: { gates: ['input', 'forget', 'cell', 'output'], hasCellState: true },
} as const satisfies Readonly<Record<string, RecurrentCell>>;
export type Cell = keyof typeof cells;

/** T steps, N sequences, I input features, H hidden features. */
export interface RecurrenceShape {
  readonly T: number;
  readonly N: number;
  readonly I: number;
  readonly H: number;
}

/**
 * Rows are in the order of steps and, within a step, of sequences; sequences that have ended have none. S is the number
 * of rows of all steps, R is H times the number of gates.
 */
export interface RecurrenceInputs {
  /** `[S, I]` */
  readonly xs: FloatArray;
  /** `[R, I]` and `[R, H]` */
  readonly weightIh: FloatArray;
  readonly weightHh: FloatArray;
  /** `[R]` */
  readonly biasIh?: FloatArray | undefined;
  readonly biasHh?: FloatArray | undefined;
  /** `[T]`: the number of sequences (the first ones) in each step; at least 1, never increasing. N if absent. */
  readonly counts?: Int32Array | undefined;
}

export interface States {
  /** `[N + S, H]`: the initial hidden states, then those after each step. */
  readonly h: FloatArray;
  /** `[N + S, H]`: the cell states in the same order; empty unless the cell has one. */
  readonly c: FloatArray;
}

export interface Pass extends States {
  /** `[S, R]`: activations. */
  readonly gates: FloatArray;
}

export interface RecurrenceGradients {
  /** `[N, H]` */
  readonly dh: FloatArray;
  readonly dc: FloatArray;
  /** `[S, I]` */
  readonly dxs: FloatArray;
  readonly dweightIh: FloatArray;
  readonly dweightHh: FloatArray;
  /** `[R]`: the gradient of each of the two biases. */
  readonly dbias: FloatArray;
}

/** For each axis and each output position along it, the number of taps that an average counts. */
export type AxisCounts = readonly [Int32Array, Int32Array, Int32Array];
