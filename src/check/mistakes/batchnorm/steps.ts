/** The steps of batchnorm. Dimensions and formulas are those of layers/batchnorm.ts; statistics are per group. */
import type { FloatArray } from '../../../tensor/tensor.js';
import { each } from '../../arrays.js';

export interface Given {
  readonly N: number;
  readonly C: number;
  readonly S: number;
  /** Elements of x. */
  readonly size: number;
  readonly training: boolean;
  readonly epsilon: number;
  readonly momentum: number;
  readonly x: FloatArray;
  readonly dout: FloatArray;
  readonly gamma: FloatArray;
  readonly beta: FloatArray;
  readonly pastMean: FloatArray | undefined;
  readonly pastVariance: FloatArray | undefined;
}

export interface Made {
  /** Which elements share a mean and a variance: the group of element i, and how many groups there are. */
  readonly groupOf: (i: number) => number;
  readonly groups: number;
  /** Values in a group. */
  readonly m: number;
  readonly batchMean: FloatArray;
  readonly batchVariance: FloatArray;
  readonly usesBatch: boolean;
  readonly mean: FloatArray;
  readonly var: FloatArray;
  readonly rstd: FloatArray;
  readonly normalised: FloatArray;
  readonly out: FloatArray;
  readonly running_mean: FloatArray | undefined;
  readonly running_var: FloatArray | undefined;
  readonly dbeta: FloatArray;
  readonly dgamma: FloatArray;
  readonly dNormalised: FloatArray;
  /** Whether backward treats the statistics as functions of x. */
  readonly throughStatistics: boolean;
  /** Gradients of the variance and of the mean of each group. */
  readonly dVariance: FloatArray;
  readonly dMean: FloatArray;
  readonly dx: FloatArray;
}

export type State = Given & Made;

export const channelOf = ({ C, S }: Pick<Given, 'C' | 'S'>, i: number) => Math.floor(i / S) % C;

/** Σ over the elements of each group. */
export function sums(
  { size, groups, groupOf }: Pick<State, 'size' | 'groups' | 'groupOf'>,
  value: (i: number) => number,
): Float64Array {
  const totals = new Float64Array(groups);
  for (let i = 0; i < size; i++) totals[groupOf(i)] += value(i);
  return totals;
}

/** Σ over the elements of each channel. */
export function channelSums(s: State, value: (i: number) => number): Float64Array {
  return sums({ size: s.size, groups: s.C, groupOf: (i) => channelOf(s, i) }, value);
}

export const reciprocalRoot = (s: State, value: number) => (s.usesBatch && value === 0 ? 0 : 1 / Math.sqrt(value));

type Weighing = Pick<State, 'training' | 'C' | 'momentum'>;

export const momentumOf = ({ C, momentum }: State) => ({ C, momentum });

export const run = (s: Weighing, past: FloatArray | undefined, batch: (c: number) => number, weight = s.momentum) =>
  past && (s.training ? each(s.C, (c) => (1 - weight) * past[c] + weight * batch(c)) : past);

export const unbiased = (s: State) => s.m / (s.m - 1);

export const steps = {
  groupOf: (s: State) => (i: number) => channelOf(s, i),
  groups: (s: State) => s.C,
  m: (s: State) => s.size / s.groups,
  batchMean: (s: State) => sums(s, (i) => s.x[i]).map((sum) => sum / s.m),
  batchVariance: (s: State) => sums(s, (i) => (s.x[i] - s.batchMean[s.groupOf(i)]) ** 2).map((sum) => sum / s.m),
  usesBatch: (s: State) => s.training || !s.pastMean,
  mean: (s: State) => (s.usesBatch || !s.pastMean ? s.batchMean : s.pastMean),
  var: (s: State) => (s.usesBatch || !s.pastVariance ? s.batchVariance : s.pastVariance),
  rstd: (s: State) => each(s.groups, (g) => reciprocalRoot(s, s.var[g] + s.epsilon)),
  normalised: (s: State) => each(s.size, (i) => (s.x[i] - s.mean[s.groupOf(i)]) * s.rstd[s.groupOf(i)]),
  out: (s: State) => each(s.size, (i) => s.normalised[i] * s.gamma[channelOf(s, i)] + s.beta[channelOf(s, i)]),
  running_mean: (s: State) => run(s, s.pastMean, (c) => s.batchMean[c]),
  running_var: (s: State) => run(s, s.pastVariance, (c) => s.batchVariance[c] * unbiased(s)),
  dbeta: (s: State) => channelSums(s, (i) => s.dout[i]),
  dgamma: (s: State) => channelSums(s, (i) => s.dout[i] * s.normalised[i]),
  dNormalised: (s: State) => each(s.size, (i) => s.dout[i] * s.gamma[channelOf(s, i)]),
  throughStatistics: (s: State) => s.training,
  dVariance: (s: State) =>
    sums(s, (i) => s.dNormalised[i] * (s.x[i] - s.mean[s.groupOf(i)])).map((sum, g) => -0.5 * s.rstd[g] ** 3 * sum),
  dMean: (s: State) => sums(s, (i) => s.dNormalised[i]).map((sum, g) => -s.rstd[g] * sum),
  dx: (s: State) =>
    each(s.size, (i) => {
      const g = s.groupOf(i);
      const direct = s.dNormalised[i] * s.rstd[g];
      if (!s.throughStatistics) return direct;
      return direct + (s.dVariance[g] * 2 * (s.x[i] - s.mean[g])) / s.m + s.dMean[g] / s.m;
    }),
};

export const FORWARD = ['out', 'dx', 'dgamma'];
export const zeros = (s: State) => new Float64Array(s.groups);

/** Statistics over something else than a channel. */
export const grouped = (of: (s: State) => readonly [groups: number, groupOf: (i: number) => number]) => ({
  groups: (s: State) => of(s)[0],
  groupOf: (s: State) => of(s)[1],
});
