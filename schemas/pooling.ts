import { Type } from '@sinclair/typebox';
import { FloatTensor, IntegerTensor } from './tensor.js';
import { Padding, PerAxis } from './windows.js';

export const PoolingInputs = Type.Object({
  x: FloatTensor('[N, C, *], * one to three spatial axes', 'input'),
});

export const PoolingOptions = Type.Object({
  mode: Type.Union([Type.Literal('max'), Type.Literal('average')], {
    description: 'Return the maximum or the average of each window.',
  }),
  kernel_size: Type.Optional(
    PerAxis({ minimum: 1, description: 'Size of the window. Required unless global is true.' }),
  ),
  stride: Type.Optional(PerAxis({ minimum: 1, description: 'Step of the window; kernel_size if absent.' })),
  padding: Padding,
  dilation: PerAxis({ minimum: 1, default: 1, description: 'Spacing between the elements of a window.' }),
  ceil_mode: Type.Boolean({
    default: false,
    description: 'Allow the last window to extend past the end, unless it would start in the padding after the input.',
  }),
  count_include_pad: Type.Boolean({
    default: true,
    description: 'Average only: include padding in the divisor.',
  }),
  global: Type.Boolean({ default: false, description: 'Pool over all spatial axes at once.' }),
  return_indices: Type.Boolean({
    default: false,
    description:
      'Max only: also return the position of each maximum, as a row-major index into the unpadded spatial axes.',
  }),
});

export const PoolingOutputs = Type.Object({
  out: FloatTensor('[N, C, *]', 'maximum or average of each window'),
  indices: Type.Optional(IntegerTensor('as out', 'position of each maximum; only with return_indices')),
});

export const PoolingUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const PoolingGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
