import type { FloatArray } from '../../tensor/tensor.js';
import type { ChannelShape, Kernels } from '../kernels.js';

/** Calls `visit(c, start)` for each run of S elements that share batch entry and channel. */
function eachRun({ N, C, S }: ChannelShape, visit: (c: number, start: number) => void): void {
  for (let n = 0, start = 0; n < N; n++) for (let c = 0; c < C; c++, start += S) visit(c, start);
}

/** In place: `x[n, c, s] += bias[c]`. */
export function addPerChannel(x: FloatArray, bias: FloatArray, shape: ChannelShape): void {
  eachRun(shape, (c, start) => {
    const add = bias[c];
    for (let i = start; i < start + shape.S; i++) x[i] += add;
  });
}

export const sumPerChannel: Kernels['sumPerChannel'] = (x, sums, shape) => {
  sums.set(channelSums(x, shape));
};

function channelSums(x: FloatArray, shape: ChannelShape): Float64Array {
  const sums = new Float64Array(shape.C);
  eachRun(shape, (c, start) => {
    let sum = 0;
    for (let i = start; i < start + shape.S; i++) sum += x[i];
    sums[c] += sum;
  });
  return sums;
}

export const moments: Kernels['moments'] = (x, shape, mean, variance) => {
  const count = shape.N * shape.S;
  const sums = channelSums(x, shape);
  for (let c = 0; c < shape.C; c++) mean[c] = sums[c] / count;
  // The second pass sums squares of deviations: E[x²] − E[x]² would cancel where the mean is large. The sum of the
  // deviations shows the rounding error of the mean, and corrects both (Chan, Golub and LeVeque 1983, eq. 1.7).
  const squares = new Float64Array(shape.C);
  const rests = new Float64Array(shape.C);
  eachRun(shape, (c, start) => {
    const center = mean[c];
    let square = 0;
    let rest = 0;
    for (let i = start; i < start + shape.S; i++) {
      const deviation = x[i] - center;
      square += deviation * deviation;
      rest += deviation;
    }
    squares[c] += square;
    rests[c] += rest;
  });
  variance.set(squares);
  correct(count, mean, variance, rests);
};

/** Turns sums of squares and of deviations from `mean`, over `count` elements, into the variance and a better mean. */
function correct(count: number, mean: Float64Array, variance: Float64Array, rests: Float64Array): void {
  for (let c = 0; c < mean.length; c++) {
    const rest = rests[c] / count;
    if (Number.isFinite(rest)) mean[c] += rest;
    // If the squares overflow, their correction may overflow too, and ∞ − ∞ would be NaN.
    const correction = Number.isFinite(rest * rest) ? rest * rest : 0;
    variance[c] = Math.max(0, variance[c] / count - correction);
  }
}

export const normalize: Kernels['normalize'] = (x, shape, { mean, rstd, gamma, beta }, out) => {
  eachRun(shape, (c, start) => {
    const center = mean[c];
    const scale = gamma ? rstd[c] * gamma[c] : rstd[c];
    const shift = beta ? beta[c] : 0;
    for (let i = start; i < start + shape.S; i++) out[i] = (x[i] - center) * scale + shift;
  });
};

export const normalizeSums: Kernels['normalizeSums'] = (x, dout, shape, { mean, rstd }, sums, products) => {
  sums.fill(0);
  products.fill(0);
  eachRun(shape, (c, start) => {
    const center = mean[c];
    let sum = 0;
    let product = 0;
    for (let i = start; i < start + shape.S; i++) {
      sum += dout[i];
      product += dout[i] * (x[i] - center);
    }
    sums[c] += sum;
    products[c] += product * rstd[c];
  });
};

export const normalizeBackward: Kernels['normalizeBackward'] = (x, dout, shape, by, dx) => {
  eachRun(shape, (c, start) => {
    const center = by.mean[c];
    const scale = by.scale[c];
    const offset = by.meanDout[c];
    const slope = by.rstd[c] * by.meanProduct[c];
    for (let i = start; i < start + shape.S; i++) dx[i] = scale * (dout[i] - offset - (x[i] - center) * slope);
  });
};
