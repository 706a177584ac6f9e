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
  dilation: PerAxis({ minimum: 1, default: 1, description: 'Spacing between the elements of the kernel.' }),
  groups: Type.Integer({
    minimum: 1,
    maximum: 2 ** 31 - 1,
    default: 1,
    description: 'Number of groups of channels that are convolved independently.',
  }),
  transposed: Type.Boolean({
    default: false,
    description: 'Compute the transposed convolution: the gradient of a convolution with respect to its input.',
  }),
  output_padding: PerAxis({
    minimum: 0,
    default: 0,
    description: 'Added to the end of each axis of a transposed output; must be less than stride or dilation.',
  }),
});

export const ConvolutionOutputs = Type.Object({
  out: FloatTensor('[N, O, *]', 'output'),
});

export const ConvolutionUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const ConvolutionGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dweight: FloatTensor('as weight', 'gradient with respect to weight'),
  dbias: Type.Optional(FloatTensor('[O]', 'gradient with respect to bias, if it was given')),
});
