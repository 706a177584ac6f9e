import { Type } from '@sinclair/typebox';
import { FloatTensor, IntegerTensor } from './tensor.js';

/** Both directions' tensors are stacked on a leading axis of 2 when the layer is bidirectional. */
export const stacked = (shape: string) => `${shape}; bidirectional: [2, ${shape.slice(1)}`;

/** What rnn and lstm take alike; `rows` is the size of a weight's first axis, `H` or `4H`. */
export const recurrentInputs = (rows: 'H' | '4H') => ({
  x: FloatTensor('[N, T, I]; time_major: [T, N, I]', 'input'),
  weight_ih: FloatTensor(stacked(`[${rows}, I]`), 'weight of the input'),
  weight_hh: FloatTensor(stacked(`[${rows}, H]`), 'weight of the hidden state'),
  bias_ih: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'bias beside weight_ih; none if absent')),
  bias_hh: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'bias beside weight_hh; none if absent')),
  sequence_lengths: Type.Optional(
    IntegerTensor('[N]', 'steps of each sequence, 1 to T; steps past its end give zeros and do not move its state'),
  ),
  h0: Type.Optional(FloatTensor(stacked('[N, H]'), 'first hidden state; zeros if absent')),
});

export const recurrentOptions = {
  direction: Type.Union([Type.Literal('forward'), Type.Literal('reverse'), Type.Literal('bidirectional')], {
    default: 'forward',
    description: 'Which way time runs; a reverse pass starts at the end of each sequence.',
  }),
  time_major: Type.Boolean({ default: false, description: 'x and out are [T, N, …] instead of [N, T, …].' }),
};

export const recurrentOutputs = {
  out: FloatTensor('[N, T, H]; bidirectional: [N, T, 2H]; time_major: [T, N, …]', 'hidden state of each step'),
  h_n: FloatTensor('as h0', 'last hidden state'),
};

export const recurrentUpstream = {
  dout: Type.Optional(FloatTensor('as out', 'gradient with respect to out')),
  dh_n: Type.Optional(FloatTensor('as h_n', 'gradient with respect to h_n')),
};

export const recurrentGradients = (rows: 'H' | '4H') => ({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dh0: Type.Optional(FloatTensor('as h0', 'gradient with respect to h0, where it was given')),
  dweight_ih: FloatTensor(stacked(`[${rows}, I]`), 'gradient with respect to weight_ih'),
  dweight_hh: FloatTensor(stacked(`[${rows}, H]`), 'gradient with respect to weight_hh'),
  dbias_ih: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'gradient with respect to bias_ih, where it was given')),
  dbias_hh: Type.Optional(FloatTensor(stacked(`[${rows}]`), 'gradient with respect to bias_hh, where it was given')),
});
