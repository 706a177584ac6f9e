/**
 * The hot loops that the layers are made of, over typed arrays in row-major order.
 *
 * Every implementation gives the same answers up to rounding; `plain/` is the definition. Arrays of one call have
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
  /** Adds to what `c` holds instead of replacing it. */
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
 * A convolution's two sides: the folded one has `A` channels a group with the planes of the axes' input, the windowed
 * one `B` with one value a window. The weight is `[groups · B, A, K]` for K taps.
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

  /** `windowed[n, b, window] = bias[b] + Σ weight[b, a, tap] * folded[n, a, place of tap in window]`, by groups. */
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

  /** Each window's first maximum (NaN wins over all) and where it stands in its plane. */
  maxPool(x: FloatArray, planes: number, axes: WindowAxes, out: FloatArray, indices: Int32Array): void;
  /** Adds each `dout` to the place that its window's maximum came from. `dx` is overwritten. */
  maxPoolBackward(dout: FloatArray, planes: number, axes: WindowAxes, indices: Int32Array, dx: FloatArray): void;
  /** `out` = each window's sum over its count, where `counts` holds the counts along each axis' output positions. */
  averagePool(x: FloatArray, planes: number, axes: WindowAxes, counts: AxisCounts, out: FloatArray): void;
  averagePoolBackward(dout: FloatArray, planes: number, axes: WindowAxes, counts: AxisCounts, dx: FloatArray): void;

  /** 1 where an element is kept, with probability 1 - rate. One seed and rate give one mask, whatever the implementation. */
  dropoutMask(seed: number, rate: number, mask: Uint8Array): void;
  /** `out = mask ? x / divisor : 0`: what is dropped is 0, whatever it was. */
  applyMask(x: FloatArray, mask: Uint8Array, divisor: number, out: FloatArray): void;

  /**
   * All steps of one direction: `gates[T, N, R]` and every state but the first, which `pass` holds already. A
   * sequence keeps the state that it has at its end; what stands in `gates` after it means nothing. Without `gates`
   * there is no way back from the pass.
   */
  recur(cell: Cell, inputs: RecurrenceInputs, pass: Pass | States, shape: RecurrenceShape): void;
  /**
   * The way back. `douts[T, N, H]` is of every step's hidden state. `dh` and `dc` turn from the gradients of the last
   * states to those of the first, the others are overwritten.
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

export type Nonlinearity = 'tanh' | 'relu';

/** What becomes of a step's pre-activations: a nonlinearity of each, or the four gates of an lstm. */
export type Cell = Nonlinearity | 'gated';

/** T steps, N sequences, I features in, H hidden. */
export interface RecurrenceShape {
  readonly T: number;
  readonly N: number;
  readonly I: number;
  readonly H: number;
}

/** Everything in the order of steps; R is H, or 4H for an lstm. */
export interface RecurrenceInputs {
  /** `[T, N, I]` */
  readonly xs: FloatArray;
  /** `[R, I]` and `[R, H]` */
  readonly weightIh: FloatArray;
  readonly weightHh: FloatArray;
  /** `[R]` */
  readonly biasIh?: FloatArray | undefined;
  readonly biasHh?: FloatArray | undefined;
  /** `[N]`: steps of each sequence, T where none are given. */
  readonly lengths?: Int32Array | undefined;
}

export interface States {
  /** `[T + 1, N, H]`: the hidden state before each step, and after the last. */
  readonly h: FloatArray;
  /** `[T + 1, N, H]`: the cell state likewise; empty unless the cell is gated. */
  readonly c: FloatArray;
}

export interface Pass extends States {
  /** `[T, N, R]`: activations. */
  readonly gates: FloatArray;
}

export interface RecurrenceGradients {
  /** `[N, H]` */
  readonly dh: FloatArray;
  readonly dc: FloatArray;
  readonly dxs: FloatArray;
  readonly dweightIh: FloatArray;
  readonly dweightHh: FloatArray;
  /** `[R]`: of either bias. */
  readonly dbias: FloatArray;
}

/** For each axis, and each output position along it, how many taps an average divides by. */
export type AxisCounts = readonly [Int32Array, Int32Array, Int32Array];
