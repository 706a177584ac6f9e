/** Known mistakes in batchnorm. */
import type { Static } from '@sinclair/typebox';
import type { BatchnormInputs, BatchnormOptions, BatchnormUpstream } from '../../../schemas/batchnorm.js';
import { batchnorm as layer } from '../../layers/batchnorm.js';
import type { Decoded } from '../../layers/definition.js';
import { sizeOf } from '../../tensor/tensor.js';
import { batchnorm as bounds } from '../bounds/batchnorm.js';
import type { Instance } from '../../layers/instance.js';
import { defineChecks, PLACE } from '../definition.js';
import { dxMistakes } from './batchnorm/dx.js';
import { scaleMistakes } from './batchnorm/scale.js';
import { statisticsMistakes } from './batchnorm/statistics.js';
import { channelOf, steps, type Given, type Made } from './batchnorm/steps.js';

function given({ inputs, options, upstream }: Instance): Given {
  const { x, gamma, beta, running_mean, running_var } = inputs as Decoded<typeof BatchnormInputs>;
  const { dout } = upstream as Partial<Decoded<typeof BatchnormUpstream>>;
  const [N, C] = x.shape;
  const size = sizeOf(x.shape);
  return {
    N,
    C,
    S: size / (N * C),
    size,
    ...(options as Static<typeof BatchnormOptions>),
    x: x.data,
    dout: dout?.data ?? new Float64Array(size),
    gamma: gamma?.data ?? new Float64Array(C).fill(1),
    beta: beta?.data ?? new Float64Array(C),
    pastMean: running_mean?.data,
    pastVariance: running_var?.data,
  };
}

const AXES = { x: ['batch', 'channel', PLACE], channels: ['channel'] };

export const batchnorm = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps,
  mistakes: [...dxMistakes, ...statisticsMistakes, ...scaleMistakes],
  slowness: 70,
  axes: (tensor) => (['out', 'dx'].includes(tensor) ? AXES.x : AXES.channels),
  constants({ inputs, options }) {
    const { x } = inputs;
    const { epsilon, momentum } = options as Static<typeof BatchnormOptions>;
    const updated = 'running_mean' in inputs ? { momentum, '1 − momentum': 1 - momentum } : {};
    const [N, C] = x.shape;
    const m = sizeOf(x.shape) / C;
    return { N, m, 'm − 1': m - 1, 'm / (m − 1)': m / (m - 1), C, ...updated, epsilon };
  },
  // Sums of squares, and means of them.
  nonNegative({ inputs, options }) {
    const { momentum } = options as Static<typeof BatchnormOptions>;
    const isMean = 'running_var' in inputs && momentum >= 0 && momentum <= 1;
    return isMean && inputs.running_var.data.every((value: number) => value >= 0) ? ['var', 'running_var'] : ['var'];
  },
  idle: {
    epsilon: ({ options }) => options.epsilon === 0,
    momentum: ({ inputs, options }) => !('running_mean' in inputs) || options.momentum === 0,
  },
  readings: () =>
    Object.entries({
      epsilon: [0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3],
      momentum: [0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.2, 0.5],
    }).flatMap(([option, values]) =>
      values.map((value) => ({ option, value, because: 'a default in other libraries' })),
    ),
  example(numbers, needs) {
    const [N, C, S] = [3, 2, 3];
    const x = numbers.tensor([N, C, S], -2, 3);
    // One channel varies by less than epsilon: there, mistakes in adding epsilon show most.
    x.data.forEach((value, i) => {
      if (channelOf({ C, S }, i) === 1) x.data[i] = Math.round(value * 10 + 50) / 100;
    });
    const running_var = numbers.tensor([C], 0.5, 3);
    running_var.data[1] = numbers.integer(5, 20) / 100;
    return {
      inputs: {
        x,
        gamma: numbers.tensor([C], 0.5, 2.5),
        beta: numbers.tensor([C]),
        running_mean: numbers.tensor([C], -1, 1),
        running_var,
      },
      options: { training: true, epsilon: 0.25, momentum: 0.3, ...needs },
      upstream: ['out'],
    };
  },
});
