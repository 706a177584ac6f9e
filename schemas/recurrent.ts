import { Type } from '@sinclair/typebox';
import { FloatTensor, IntegerTensor } from './tensor.js';

/** Both directions' tensors are stacked on a leading axis of 2 when the layer is bidirectional. */
export const stacked = (shape: string) => `${shape}; bidirectional: [2, ${shape.slice(1)}`;

/** The inputs that rnn and lstm share; `rows` is the size of a weight's first axis, `H` or `4H`. */
export const recurrentInputs = (rows: 'H' | '4H') => ({
  x: FloatTensor('[N, T, I]; time_major: [T, N, I]', 'input'),
  weight_ih: FloatTensor(stacked(`[${rows}, I]`), 'input-to-hidden weight'),
  weight_hh: FloatTensor(stacked(`[${rows}, H]`), 'hidden-to-hidden weight'),
  bias_ih: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'bias added to the product with weight_ih; none if absent')),
  bias_hh: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'bias added to the product with weight_hh; none if absent')),
  sequence_lengths: Type.Optional(
    IntegerTensor(
      '[N]',
      'length of each sequence, 0 to T; steps past its end output zeros and leave its state unchanged',
    ),
  ),
  h0: Type.Optional(FloatTensor(stacked('[N, H]'), 'initial hidden state; zeros if absent')),
});

export const recurrentOptions = {
  direction: Type.Union([Type.Literal('forward'), Type.Literal('reverse'), Type.Literal('bidirectional')], {
    default: 'forward',
    description: 'Direction in which time steps are processed; a reverse pass starts at the end of each sequence.',
  }),
  time_major: Type.Boolean({ default: false, description: 'Whether x and out are [T, N, …] instead of [N, T, …].' }),
};

export const recurrentOutputs = {
  out: FloatTensor('[N, T, H]; bidirectional: [N, T, 2H]; time_major: [T, N, …]', 'hidden state at each step'),
  h_n: FloatTensor('as h0', 'final hidden state'),
};

export const recurrentUpstream = {
  dout: Type.Optional(FloatTensor('as out', 'gradient with respect to out')),
  dh_n: Type.Optional(FloatTensor('as h_n', 'gradient with respect to h_n')),
};

export const recurrentGradients = (rows: 'H' | '4H') => ({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dh0: Type.Optional(FloatTensor('as h0', 'gradient with respect to h0, if it was given')),
  dweight_ih: FloatTensor(stacked(`[${rows}, I]`), 'gradient with respect to weight_ih'),
  dweight_hh: FloatTensor(stacked(`[${rows}, H]`), 'gradient with respect to weight_hh'),
  dbias_ih: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'gradient with respect to bias_ih, if it was given')),
  dbias_hh: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'gradient with respect to bias_hh, if it was given')),
});
