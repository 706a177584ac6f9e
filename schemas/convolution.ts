import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';
import { Padding, PerAxis } from './windows.js';

export const ConvolutionInputs = Type.Object({
  x: FloatTensor('[N, C, *], * one to three spatial axes', 'input'),
  weight: FloatTensor('[O, C/groups, *kernel]; transposed: [C, O/groups, *kernel]', 'kernels'),
  bias: Type.Optional(FloatTensor('[O]', 'bias; none if absent')),
});

export const ConvolutionOptions = Type.Object({
  stride: PerAxis({ minimum: 1, default: 1, description: 'Step of the window.' }),
  padding: Padding,
  dilation: PerAxis({ minimum: 1, default: 1, description: 'Step between the taps of a kernel.' }),
  groups: Type.Integer({
    minimum: 1,
    maximum: 2 ** 31 - 1,
    default: 1,
    description: 'Blocks of channels that do not see each other.',
  }),
  transposed: Type.Boolean({
    default: false,
    description: 'Compute the transposed convolution: the gradient of a convolution with respect to its input.',
  }),
  output_padding: PerAxis({
    minimum: 0,
    default: 0,
    description: 'Added to the size of a transposed output, on the far side; less than stride or dilation.',
  }),
});

export const ConvolutionOutputs = Type.Object({
  out: FloatTensor('[N, O, *]', 'result'),
});

export const ConvolutionUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const ConvolutionGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dweight: FloatTensor('as weight', 'gradient with respect to weight'),
  dbias: Type.Optional(FloatTensor('[O]', 'gradient with respect to bias, where it was given')),
});
