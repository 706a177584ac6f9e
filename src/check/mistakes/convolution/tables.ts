/** What mistakes in a convolution use instead of its tables and its formulas, plain or transposed. */
import {
  convolutionOf,
  exchangedChannels,
  outputPaddingOf,
  setupOf,
  type Setup,
} from '../../../formulas/layers/convolution.js';
import type { Program } from '../../../formulas/program.js';
import { windowTable, withOneOf } from '../../../formulas/windows.js';
import type { Instance, Tensors } from '../../../layers/instance.js';
import { effectiveKernel, outputSize, product, type WindowAxis } from '../../../tensor/windows.js';
import type { Misread } from '../../written.js';
import { asClaimed } from '../windows.js';

export const ALL = ['out', 'dx', 'dweight'];

type Given = (instance: Instance) => Misread;

/** Changes an axis; `added` is what output_padding adds to its far end. */
export type Change = (axis: WindowAxis, added: number) => Partial<WindowAxis>;

export function changed(setup: Setup, change: Change): WindowAxis[] {
  const added = outputPaddingOf(setup);
  return setup.axes.map((axis, i) => ({ ...axis, ...change(axis, added[i]) }));
}

/** Windows elsewhere, in tensors of the right size. */
export const moved =
  (change: Change): Given =>
  (instance) => {
    const setup = setupOf(instance);
    const axes = changed(setup, change).map((axis, i) => ({ ...axis, input: setup.axes[i].input }));
    return { given: { at: windowTable(axes) } };
  };

export const padsSwapped = moved(({ before, after }) => ({ before: after, after: before }));

/** Only the last or the first tap that reaches each position of the plane. */
export const overwritten =
  (which: 'first' | 'last'): Given =>
  (instance) => ({ given: { at: withOneOf(windowTable(setupOf(instance).axes), which, (place) => place) } });

/** Only the last window of the last sample in which each tap lies inside. */
export function lastWindows(instance: Instance): Misread {
  const { axes, dout, N } = setupOf(instance);
  const taps = product(axes, 'kernel');
  const at = withOneOf(windowTable(axes), 'last', (_, i) => i % taps);
  if (!dout) return { given: { at } };
  const first = dout.length - dout.length / N;
  return { given: { at, dout: Float64Array.from(dout, (value, i) => (i < first ? 0 : value)) } };
}

/** Only the last tap of each window that lies inside. */
export function lastTaps(instance: Instance): Misread {
  const { axes } = setupOf(instance);
  const taps = product(axes, 'kernel');
  return { given: { at: withOneOf(windowTable(axes), 'last', (_, i) => Math.floor(i / taps)) } };
}

/** The weight, read with the axes of its channels exchanged. */
export function reread(setup: Setup): Float64Array {
  const { weight } = setup;
  const taps = product(setup.axes, 'kernel');
  const planes = exchangedChannels(setup);
  return Float64Array.from(weight, (_, i) => weight[planes[Math.floor(i / taps)] * taps + (i % taps)]);
}

export const exchangedWeight: Given = (instance) => ({ given: { weight: reread(setupOf(instance)) } });

const isTransposed = ({ options }: Instance) => options.transposed === true;

/** dweight with the axes of its channels exchanged. */
export const exchangedDweight = (instance: Instance) => [
  `dweight[row,column,k] += ${isTransposed(instance) ? 'x · dout[n,from,at]' : 'dout · x[n,from,at]'}`,
];

/** dbias over other axes, from the letters of the channels and places of dout. */
export const summed = (formula: (o: string, p: string) => string) => (instance: Instance) => [
  isTransposed(instance) ? formula('c', 'q') : formula('o', 'p'),
];

/** out with the bias added several times. */
export const biasTimes = (times: string) => (instance: Instance) => [
  isTransposed(instance) ? `out = sums + ${times} · bias` : `out = Σ_ak x[n,from,at] · weight + ${times} · bias`,
];

/** Only for the taps that lie in the input or, when transposed, that reach the position. */
export const biasOfTaps = (instance: Instance) =>
  isTransposed(instance)
    ? ['sums[n,from,at] += x · weight + bias[from]', 'out = sums']
    : ['out = Σ_ak x[n,from,at] · weight + bias · Σ_ak positive(at + 1)'];

/** dx of the padded input, with the padding not removed. */
export function uncropped(instance: Instance): Program {
  const setup = setupOf(instance);
  const axes = setup.axes.map((axis) => ({
    ...axis,
    ...{ input: axis.input + axis.before + axis.after, before: 0, after: 0 },
  }));
  const x = new Float64Array(setup.N * setup.C * product(axes, 'input'));
  const program = convolutionOf({ ...setup, axes, x });
  return { ...program, lines: program.lines.filter(({ target }) => target === 'dx') };
}

/** out of another size or from another x; undefined if it would have no elements. */
export function outOver(setup: Setup, axes: readonly WindowAxis[], x = setup.x): Program | undefined {
  if (axes.some(({ input, output }) => input < 1 || output < 1)) return undefined;
  return convolutionOf({ ...setup, axes, x, dout: undefined });
}

/** As many windows, or elements of a transposed out, as were claimed. */
export function withSizeOfClaim(instance: Instance, claims: Tensors): Program | undefined {
  const setup = setupOf(instance);
  const axes = asClaimed(setup.axes, setup.transposed ? 'input' : 'output', claims);
  return axes && outOver(setup, axes);
}

/** out with stride and dilation exchanged, and the size that follows. */
export function withStepsExchanged(instance: Instance): Program | undefined {
  const setup = setupOf(instance);
  const axes = changed(setup, (axis, added) => {
    const other = { ...axis, stride: axis.dilation, dilation: axis.stride };
    const { output, stride, kernel, dilation, before, after } = other;
    if (!setup.transposed) return { ...other, output: outputSize(other) };
    return { ...other, input: (output - 1) * stride + effectiveKernel(kernel, dilation) - before - after + added };
  });
  return outOver(setup, axes);
}
