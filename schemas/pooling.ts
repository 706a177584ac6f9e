import { Type } from '@sinclair/typebox';
import { FloatTensor, IntegerTensor } from './tensor.js';
import { Padding, PerAxis } from './windows.js';

export const PoolingInputs = Type.Object({
  x: FloatTensor('[N, C, *], * one to three spatial axes', 'input'),
});

export const PoolingOptions = Type.Object({
  mode: Type.Union([Type.Literal('max'), Type.Literal('average')], { description: 'What a window gives.' }),
  kernel_size: Type.Optional(PerAxis({ minimum: 1, description: 'Size of the window. Required unless global.' })),
  stride: Type.Optional(PerAxis({ minimum: 1, description: 'Step of the window; kernel_size if absent.' })),
  padding: Padding,
  dilation: PerAxis({ minimum: 1, default: 1, description: 'Step between the taps of a window.' }),
  ceil_mode: Type.Boolean({
    default: false,
    description: 'Let a last window hang over the end, unless it would start in the padding after the input.',
  }),
  count_include_pad: Type.Boolean({
    default: true,
    description: 'Average alone: whether taps in the padding count in the divisor.',
  }),
  global: Type.Boolean({ default: false, description: 'One window over the whole plane.' }),
  return_indices: Type.Boolean({
    default: false,
    description: 'Max alone: answer with where each maximum stands, row-major in the unpadded plane.',
  }),
});

export const PoolingOutputs = Type.Object({
  out: FloatTensor('[N, C, *]', 'what each window gives'),
  indices: Type.Optional(IntegerTensor('as out', 'where each maximum stands; with return_indices')),
});

export const PoolingUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const PoolingGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
