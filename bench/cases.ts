/** The layers that bench/kernels.ts measures, with their sizes. */
import type { Shape } from '../src/tensor/tensor.js';

export interface Case {
  /** The layer and the sizes that identify the case. */
  readonly name: string;
  readonly layer: string;
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Floating-point operations of forward, as the measure of work; if absent, the number of elements of x is. */
  readonly operations?: number;
}

function recurrent(layer: 'lstm' | 'rnn', T: number, N: number, I: number, H: number): Case {
  const R = layer === 'lstm' ? 4 * H : H;
  const shapes = { x: [N, T, I], weight_ih: [R, I], weight_hh: [R, H], bias_ih: [R], bias_hh: [R] };
  const options = { direction: 'forward', time_major: false, ...(layer === 'rnn' ? { nonlinearity: 'tanh' } : {}) };
  return { name: `${layer} ${T}-${N}-${I}-${H}`, layer, shapes, options, operations: 2 * N * T * R * (I + H) };
}

function convolution(N: number, C: number, S: number, O: number): Case {
  const options = { stride: 1, padding: 1, dilation: 1, groups: 1, transposed: false, output_padding: 0 };
  const shapes = { x: [N, C, S, S], weight: [O, C, 3, 3], bias: [O] };
  const operations = 2 * N * O * S * S * C * 9;
  return { name: `convolution ${N}-${C}-${S}-${O}`, layer: 'convolution', shapes, options, operations };
}

function linear(N: number, I: number, O: number): Case {
  const shapes = { x: [N, I], weight: [O, I] };
  return { name: `linear ${N}-${I}-${O}`, layer: 'linear', shapes, options: {}, operations: 2 * N * I * O };
}

function batchnorm(N: number, C: number): Case {
  const shapes = { x: [N, C], gamma: [C], beta: [C] };
  const options = { training: true, epsilon: 1e-8, momentum: 0.1 };
  return { name: `batchnorm ${N}-${C}`, layer: 'batchnorm', shapes, options };
}

function pooling(mode: 'max' | 'average', ...x: number[]): Case {
  const options = {
    ...{ mode, kernel_size: 2, padding: 0, dilation: 1 },
    ...{ ceil_mode: false, count_include_pad: true, return_indices: false },
  };
  return { name: `${mode} pooling ${x.join('-')}`, layer: 'pooling', shapes: { x }, options };
}

function dropout(...x: number[]): Case {
  const options = { rate: 0.5, training: true, scaling: 'inverted', seed: 7 };
  return { name: `dropout ${x.join('-')}`, layer: 'dropout', shapes: { x }, options };
}

export const cases: readonly Case[] = [
  linear(512, 512, 512),
  linear(64, 256, 256),
  linear(1, 3, 2),
  convolution(8, 64, 32, 64),
  convolution(8, 3, 32, 16),
  recurrent('lstm', 50, 32, 128, 256),
  recurrent('lstm', 20, 4, 8, 16),
  recurrent('rnn', 50, 32, 128, 256),
  recurrent('rnn', 20, 4, 8, 16),
  batchnorm(4096, 512),
  batchnorm(1024, 256),
  batchnorm(64, 64),
  pooling('max', 16, 64, 64, 64),
  pooling('average', 16, 64, 64, 64),
  dropout(1024, 256),
];
