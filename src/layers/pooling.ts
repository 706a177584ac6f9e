/**
 * pooling: a window slides over one to three spatial axes; each output is its maximum or average at one position.
 *
 * N batch, C channels, K taps per window, P positions of the window, D elements per plane.
 *
 * Taps in the padding are never the maximum, and are left out of the sum of an average, which is float64 and runs over
 * the taps in row-major order. dx is summed over the rows of windows in order, and within a row over the taps. count[p]
 * is the number of taps in the padded input or, if count_include_pad is false, in the input itself. Source:
 * torch.nn.functional.max_pool1d … avg_pool3d.
 */
import type { Static } from '@sinclair/typebox';
import {
  PoolingGradients,
  PoolingInputs,
  PoolingOptions,
  PoolingOutputs,
  PoolingUpstream,
} from '../../schemas/pooling.js';
import type { AxisCounts } from '../kernels/kernels.js';
import { count, refuse } from '../refusal.js';
import { floatArray, dtypeOf, tensor, type IntegerTensor, type Shape } from '../tensor/tensor.js';
import {
  effectiveKernel,
  emptyWindow,
  outputShape,
  outputSize,
  product,
  threeAxes,
  type WindowAxis,
} from '../tensor/windows.js';
import { defineLayer, present, type Plan } from './definition.js';
import { expectSpatial, perAxis, windowAxes } from './geometry.js';

interface PoolingPlan extends Plan {
  /** N · C: every plane is pooled separately. */
  readonly planes: number;
  readonly xShape: Shape;
  readonly axes: readonly WindowAxis[];
  readonly mode: 'max' | 'average';
  readonly countIncludePad: boolean;
  readonly returnIndices: boolean;
}

/** The positions of the maxima; an average keeps nothing. */
type PoolingCache = {
  readonly indices?: IntegerTensor;
};

type Options = Static<typeof PoolingOptions>;

function onlyFor(what: string, option: keyof Options, given: boolean, expected: string): void {
  if (given) throw refuse('value-mismatch', [option], `${option} is only for ${what}; expected ${expected}`);
}

/** @throws {Refusal} if an option does not apply with the others */
function expectConsistent(options: Options): void {
  const { mode, kernel_size, stride, padding, dilation, ceil_mode } = options;
  onlyFor('mode "average"', 'count_include_pad', mode === 'max' && !options.count_include_pad, 'true with mode "max"');
  onlyFor('mode "max"', 'return_indices', mode === 'average' && options.return_indices, 'false with mode "average"');
  if (!options.global) {
    if (kernel_size === undefined)
      throw refuse(
        'invalid-request',
        ['kernel_size'],
        'kernel_size is missing; expected an integer, or one for each spatial axis, because global is false',
      );
    return;
  }
  const plain = (value: unknown, neutral: number) => [value].flat(2).every((entry) => entry === neutral);
  const windowed = 'sliding windows';
  onlyFor(windowed, 'kernel_size', kernel_size !== undefined, 'none, because global is true');
  onlyFor(windowed, 'stride', stride !== undefined, 'none, because global is true');
  onlyFor(windowed, 'padding', padding !== 'valid' && !plain(padding, 0), '0, because global is true');
  onlyFor(windowed, 'dilation', !plain(dilation, 1), '1, because global is true');
  onlyFor(windowed, 'ceil_mode', ceil_mode, 'false, because global is true');
}

function windows(spatial: Shape, options: Options): WindowAxis[] {
  const kernel_size = options.kernel_size ?? spatial;
  const kernel = perAxis('kernel_size', kernel_size, spatial.length);
  const { dilation, padding, ceil_mode } = options;
  return windowAxes(spatial, { kernel, dilation, padding, stride: options.stride ?? kernel }).map((axis, i) => {
    const covered = effectiveKernel(axis.kernel, axis.dilation);
    const pad = Math.max(axis.before, axis.after);
    if (pad > covered / 2)
      throw refuse(
        'value-mismatch',
        ['padding'],
        `padding is ${pad} on spatial axis ${i}; expected at most ${Math.floor(covered / 2)}, half of the ${count(covered, 'element')} that the window covers`,
      );
    const output = outputSize(axis, ceil_mode);
    if (output < 1)
      throw refuse(
        'shape-mismatch',
        ['kernel_size'],
        `the window covers ${count(covered, 'element')} of spatial axis ${i}; expected at most ${axis.input + axis.before + axis.after}, because x has ${axis.input} there and the padding is [${axis.before}, ${axis.after}]`,
      );
    return { ...axis, output };
  });
}

/** The number of taps that an average counts, for each window along one axis. */
function tapCounts(axis: WindowAxis, includePad: boolean): Int32Array {
  const [low, high] = includePad ? [-axis.before, axis.input + axis.after] : [0, axis.input];
  return Int32Array.from({ length: axis.output }, (_, o) => {
    const start = o * axis.stride - axis.before;
    const first = start >= low ? 0 : Math.ceil((low - start) / axis.dilation);
    const end = Math.min(axis.kernel, Math.ceil((high - start) / axis.dilation));
    return end - first;
  });
}

function countsOf({ axes, countIncludePad }: PoolingPlan): AxisCounts {
  const [d, h, w] = threeAxes(axes);
  return [tapCounts(d, countIncludePad), tapCounts(h, countIncludePad), tapCounts(w, countIncludePad)];
}

/** @throws {Refusal} if a window has no tap in the input, and therefore no maximum or no count to divide by */
function expectTaps({ axes, mode, countIncludePad }: PoolingPlan): void {
  if (mode === 'average' && countIncludePad) return;
  axes.forEach((axis, i) => {
    const empty = emptyWindow(axis);
    if (empty !== undefined)
      throw refuse(
        'value-mismatch',
        ['padding'],
        `window ${empty} along spatial axis ${i} has all its taps in the padding; expected at least one in x`,
      );
  });
}

export const pooling = defineLayer({
  name: 'pooling',
  reference: {
    summary: 'A window slides over one to three spatial axes; each output is its maximum or average at one position.',
    dimensions: {
      N: 'batch',
      C: 'channels',
      '*': 'one to three spatial axes',
      'D, K, P': 'elements of x, taps of a window and windows along an axis',
      's, d': 'stride, dilation',
      'a, e': 'padding before and after x',
    },
    formulas: {
      forward: {
        'max: out[n, c, p] = max_k x[n, c, p · stride − before + k · dilation]': String.raw`\text{max:} \quad \text{out}_{n,c,p} = \max_k \, x_{n,c,\,p s - a + k d}`,
        'average: out[n, c, p] = Σ_k x[n, c, p · stride − before + k · dilation] / count[p]': String.raw`\text{average:} \quad \text{out}_{n,c,p} = \frac{1}{\text{count}_p} \sum_k x_{n,c,\,p s - a + k d}`,
        'size of out = ⌊(size of x + before + after − dilation · (kernel_size − 1) − 1) / stride⌋ + 1; ceil_mode rounds up': String.raw`P = \left\lfloor \frac{D + a + e - d (K - 1) - 1}{s} \right\rfloor + 1`,
      },
      backward: {
        'max: dx[n, c, i] = Σ_p dout[n, c, p] over the windows p whose maximum is i': String.raw`\text{max:} \quad \text{dx}_{n,c,i} = \sum_{p:\; \mathrm{argmax}_p = i} \text{dout}_{n,c,p}`,
        'average: dx[n, c, i] = Σ_p dout[n, c, p] / count[p] over the windows p that i is in': String.raw`\text{average:} \quad \text{dx}_{n,c,i} = \sum_{p \ni i} \frac{\text{dout}_{n,c,p}}{\text{count}_p}`,
      },
    },
    conventions: [
      'The first of equal maxima (row-major) receives the whole gradient. NaN is greater than any number; of several NaNs the last one wins, as in PyTorch.',
      'Padding counts as −∞ for max, as 0 for average.',
      'Average divides by the window clipped to the padded input, or to the input when count_include_pad is false.',
      'With ceil_mode, a window that would start in the padding after the input is dropped, as in PyTorch.',
      'A pad of more than half the window, including dilation, is refused, as in PyTorch; so is a window without a tap in the input.',
      'indices are row-major in the unpadded plane, as in PyTorch.',
    ],
    sources: ['torch.nn.functional.max_pool1d … max_pool3d, avg_pool1d … avg_pool3d'],
    example: {
      forward: {
        x: [
          [
            [
              [1, 3, 2, 0],
              [4, 2, 1, 5],
            ],
          ],
        ],
        mode: 'max',
        kernel_size: 2,
        return_indices: true,
      },
      backward: { dout: [[[[0.1, -0.2]]]] },
    },
  },
  schemas: {
    inputs: PoolingInputs,
    options: PoolingOptions,
    outputs: PoolingOutputs,
    upstream: PoolingUpstream,
    gradients: PoolingGradients,
  },

  plan({ x }, options): PoolingPlan {
    const spatial = expectSpatial(x);
    expectConsistent(options);
    const axes = windows(spatial, options);
    const planes = x.shape[0] * x.shape[1];
    const element = x.data.BYTES_PER_ELEMENT;
    const outSize = planes * product(axes, 'output');
    const operations = outSize * product(axes, 'kernel');
    return {
      planes,
      xShape: x.shape,
      axes,
      mode: options.mode,
      countIncludePad: options.count_include_pad,
      returnIndices: options.return_indices,
      outputs: { out: [x.shape[0], x.shape[1], ...outputShape(axes)] },
      cost: {
        forward: { operations, bytes: outSize * (element + 4) },
        backward: { operations, bytes: x.data.length * element },
      },
    };
  },

  forward({ x }, plan, kernels) {
    const { planes, outputs, mode, returnIndices } = plan;
    expectTaps(plan);
    const axes = threeAxes(plan.axes);
    const size = planes * product(axes, 'output');
    const out = floatArray(dtypeOf(x.data), size);
    if (mode === 'average') {
      kernels.averagePool(x.data, planes, axes, countsOf(plan), out);
      return { outputs: { out: tensor(outputs.out, out) }, cache: {} };
    }
    const maxima = new Int32Array(size);
    kernels.maxPool(x.data, planes, axes, out, maxima);
    const indices = tensor(outputs.out, maxima);
    return {
      outputs: present({ out: tensor(outputs.out, out), indices: returnIndices ? indices : undefined }),
      cache: { indices },
    };
  },

  backward({ indices }: PoolingCache, plan, { dout }, kernels) {
    const axes = threeAxes(plan.axes);
    const dx = floatArray(dtypeOf(dout.data), plan.planes * product(axes, 'input'));
    if (indices) kernels.maxPoolBackward(dout.data, plan.planes, axes, indices.data, dx);
    else kernels.averagePoolBackward(dout.data, plan.planes, axes, countsOf(plan), dx);
    return { dx: tensor(plan.xShape, dx) };
  },
});
