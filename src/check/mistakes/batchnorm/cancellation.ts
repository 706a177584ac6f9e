/**
 * Recognises a variance that was computed as E[x²] − E[x]² in float32. Both are near mean², where the distance of two
 * float32 numbers may exceed the variance: their difference is a multiple of it. Which multiple depends on the order of
 * the sums, so it is taken from the claims. Few other mistakes lead to multiples.
 */
import type { Instance, Tensors } from '../../../layers/instance.js';
import { sizeOf } from '../../../tensor/tensor.js';
import type { Checks, MistakeText } from '../../definition.js';
import { short } from '../../statistics.js';
import { writtenAs } from '../../written.js';
import { isOpen } from './statistics.js';

/** The binary digits of a float32 number after the first. */
const DIGITS = 23;

/** Largest error of a multiple that is derived from out, which has been rounded, too. */
const INTEGER = 1e-4;

/** From here on, powers of two are numbers that a program contains. */
const LEAST_CONSTANT = 1 / 16;

/** Distance of the float32 numbers below a value, from which rounded sums may lack a little. */
const spacingBelow = (value: number) => 2 ** (Math.floor(Math.log2(value * (1 - 2 ** -12))) - DIGITS);

const isConstant = (value: number) => value >= LEAST_CONSTANT && Number.isInteger(Math.log2(value));

/** The elements of a channel, by their indices. */
function channelOf({ inputs: { x } }: Instance, c: number): number[] {
  const [N, C] = x.shape;
  const S = sizeOf(x.shape) / (N * C);
  return Array.from({ length: N * S }, (_, k) => (Math.floor(k / S) * C + c) * S + (k % S));
}

/** The variance by which out was divided, from its slope over x; NaN if out is. */
function varianceIn(out: ArrayLike<number>, { inputs, options }: Instance, c: number, channel: readonly number[]) {
  const { data: x } = inputs.x;
  const meanOf = (values: ArrayLike<number>) => channel.reduce((sum, i) => sum + values[i], 0) / channel.length;
  const [ofX, ofOut] = [meanOf(x), meanOf(out)];
  const products = channel.reduce((sum, i) => sum + (x[i] - ofX) * (out[i] - ofOut), 0);
  const squares = channel.reduce((sum, i) => sum + (x[i] - ofX) ** 2, 0);
  const gamma = 'gamma' in inputs ? inputs.gamma.data[c] : 1;
  return ((gamma * squares) / products) ** 2 - Number(options.epsilon);
}

interface Cancelled {
  readonly channel: number;
  readonly square: number;
  readonly spacing: number;
  readonly variance: number;
  readonly right: number;
  /** Whether it is only known to be negative. */
  readonly isNaN: boolean;
}

/** The variance of each channel, if cancellation explains it; undefined if it does not explain one of them. */
function cancelledIn(instance: Instance, claims: Tensors, right: Tensors): readonly Cancelled[] | undefined {
  const name = ['var', 'out'].find((each) => each in claims);
  const usesBatch = instance.options.training === true || !('running_mean' in instance.inputs);
  if (name === undefined || !usesBatch || !isOpen(name, claims, right)) return undefined;
  const { data } = claims[name];
  if (data.length !== right[name].data.length) return undefined;
  const found = Array.from(right.var.data, (variance, channel): Cancelled | undefined => {
    const elements = channelOf(instance, channel);
    const square = right.mean.data[channel] ** 2;
    const spacing = spacingBelow(square);
    const own = name === 'var' ? data[channel] : varianceIn(data, instance, channel, elements);
    const known = { channel, square, spacing, right: variance };
    // The root of a negative number.
    if (name === 'out' && Number.isNaN(own)) return { ...known, variance: -spacing, isNaN: true };
    const multiple = Math.round(own / spacing) * spacing;
    const isMultiple = Math.abs(own - multiple) <= (name === 'var' ? 0 : INTEGER * spacing);
    // Each term of the sums is rounded once, and so is each partial sum.
    const isNear = Math.abs(own - variance) <= (elements.length + 1) * spacing;
    return isMultiple && isNear ? { ...known, variance: multiple, isNaN: false } : undefined;
  });
  const all = found.filter((each) => each !== undefined);
  return all.length === found.length ? all : undefined;
}

/** A wrong value that is not one of those that programs contain: 0 only where the difference must be about that. */
const isTelling = ({ variance, right, spacing, isNaN }: Cancelled) => {
  if (isNaN || Math.abs(variance - right) <= INTEGER * spacing) return false;
  return variance === 0 ? right < spacing : !isConstant(variance);
};

const textOf = ({ channel, square, spacing, variance, right }: Cancelled): MistakeText => ({
  id: 'variance_by_cancellation',
  tensors: ['out', 'var', 'running_var', 'dx', 'dgamma'],
  explanation:
    (variance === 0
      ? 'The variance is 0, which E[x²] − E[x]² gives in float32, where nearly all digits cancel. '
      : 'The variance was computed as E[x²] − E[x]² in float32, where nearly all digits cancel. ') +
    `In channel ${channel}, both are near ${short(square)}, where float32 numbers are ${short(spacing)} apart: ` +
    `the difference is ${short(variance)} instead of ${short(right)}.`,
  fix: 'var = Σ (x − mean)² / m: subtract the mean before squaring',
});

/** The checks, with this mistake where the claims show it. It is not in the list: its result depends on the claims. */
export function withCancellation(checks: Checks): Checks {
  return {
    ...checks,
    alternatives(instance, right, claims, known = checks.formulas(instance, right)) {
      const others = checks.alternatives(instance, right, claims, known);
      const cancelled = cancelledIn(instance, claims, right);
      const telling = cancelled?.find((each) => each.variance !== 0 && isTelling(each)) ?? cancelled?.find(isTelling);
      if (!cancelled || !telling) return others;
      const variances = cancelled.map(({ variance }) => variance);
      const own = writtenAs(
        textOf(telling),
        { isFitted: true, formulas: ['batch_var = cancelled'], given: () => ({ given: { cancelled: variances } }) },
        { formulas: known, instance, claims },
      );
      return own ? [own, ...others] : others;
    },
  };
}
