import { describe, it } from 'vitest';
import { expectRefused, wrongBackward, wrongForward, type WrongRequest } from '../../support/problem.js';
import type { Body, LayerName } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();

const SPATIAL = '[N, C, *] with one to three spatial axes';

/** A tensor of ones. */
function ones(...shape: number[]): unknown {
  const [size, ...inner] = shape;
  return Array.from({ length: size }, () => (inner.length === 0 ? 1 : ones(...inner)));
}

type Place = string | readonly string[];

const shape = (layer: LayerName, changes: Body, at: Place, says: string) =>
  wrongForward(layer, changes, { status: 422, type: 'shape-mismatch', at: [at].flat(), says });
const value = (layer: LayerName, changes: Body, at: Place, says: string) =>
  wrongForward(layer, changes, { status: 422, type: 'value-mismatch', at: [at].flat(), says });
const upstream = (layer: LayerName, changes: Body, at: Place, says: string) =>
  wrongBackward(layer, changes, { status: 422, type: 'shape-mismatch', at: [at].flat(), says });

const batchnorm = [
  shape(
    'batchnorm',
    { x: [1, 2, 3] },
    '/x',
    'x has shape [3]; expected [N, C] or [N, C, *] with one to three spatial axes',
  ),
  shape(
    'batchnorm',
    { x: ones(2, 2, 1, 1, 1, 1) },
    '/x',
    'x has shape [2, 2, 1, 1, 1, 1]; expected [N, C] or [N, C, *] with one to three spatial axes',
  ),
  shape('batchnorm', { gamma: [1, 1, 1] }, '/gamma', 'gamma has shape [3]; expected [2], because x has 2 channels'),
  shape('batchnorm', { beta: [[0, 1]] }, '/beta', 'beta has shape [1, 2]; expected [2], because x has 2 channels'),
  shape(
    'batchnorm',
    { running_mean: [0] },
    '/running_mean',
    'running_mean has shape [1]; expected [2], because x has 2 channels',
  ),
  shape(
    'batchnorm',
    { running_var: ones(3) },
    '/running_var',
    'running_var has shape [3]; expected [2], because x has 2 channels',
  ),
  value(
    'batchnorm',
    { running_mean: undefined },
    '/running_mean',
    'running_mean is missing; expected both or neither, because running_var was given',
  ),
  value(
    'batchnorm',
    { running_var: undefined },
    '/running_var',
    'running_var is missing; expected both or neither, because running_mean was given',
  ),
  value(
    'batchnorm',
    { training: false, running_mean: undefined, running_var: undefined },
    '/running_mean',
    'running_mean and running_var are missing; expected both, because training is false',
  ),
  value(
    'batchnorm',
    { x: [[1, 2]] },
    '/x',
    'x has shape [1, 2], one value per channel; expected two or more, because running_var uses the unbiased variance',
  ),
  upstream(
    'batchnorm',
    { dout: [[0.1, -0.2]] },
    '/dout',
    'dout has shape [1, 2]; expected [3, 2], because it is the gradient of out, of shape [3, 2]',
  ),
];

const convolution = [
  shape('convolution', { x: [[1, 2]] }, '/x', `x has shape [1, 2]; expected ${SPATIAL}`),
  shape('convolution', { x: ones(1, 1, 1, 1, 1, 1) }, '/x', `x has shape [1, 1, 1, 1, 1, 1]; expected ${SPATIAL}`),
  shape(
    'convolution',
    { weight: [[1, 2]] },
    '/weight',
    'weight has shape [1, 2]; expected [O, C/groups, *kernel] with 1 kernel axes, because x has shape [2, 1, 4]',
  ),
  shape(
    'convolution',
    { weight: [[[[1]]]], transposed: true },
    '/weight',
    'weight has shape [1, 1, 1, 1]; expected [C, O/groups, *kernel] with 1 kernel axes, because x has shape [2, 1, 4]',
  ),
  shape(
    'convolution',
    { weight: ones(2, 3, 3) },
    '/weight',
    'weight has shape [2, 3, 3]; expected [2, 1, 3], because x has 1 channel and weight is [O, C/groups, *kernel]',
  ),
  shape(
    'convolution',
    { x: ones(1, 4, 4), weight: ones(2, 4, 3), groups: 2 },
    '/weight',
    'weight has shape [2, 4, 3]; expected [2, 2, 3], because x has 4 channels in 2 groups and weight is [O, C/groups, *kernel]',
  ),
  shape(
    'convolution',
    { weight: ones(3, 1, 3), transposed: true },
    '/weight',
    'weight has shape [3, 1, 3]; expected [1, 1, 3], because x has 1 channel and weight is [C, O/groups, *kernel]',
  ),
  shape(
    'convolution',
    { bias: [1] },
    '/bias',
    'bias has shape [1]; expected [2], because weight has 2 output channels',
  ),
  shape(
    'convolution',
    { padding: 0, dilation: 2 },
    '/weight',
    'the kernel covers 5 elements of spatial axis 0; expected at most 4, because x has 4 there and the padding is [0, 0]',
  ),
  shape(
    'convolution',
    { transposed: true, weight: ones(1, 2, 3), padding: 3 },
    '/padding',
    'the padding [3, 3] leaves 0 elements of spatial axis 0; expected at least 1, because x has 4 there',
  ),
  value('convolution', { groups: 2 }, '/groups', "groups is 2; expected a divisor of x's 1 channel"),
  value(
    'convolution',
    { x: ones(1, 2, 4), weight: ones(3, 1, 3), groups: 2, bias: undefined },
    '/groups',
    "groups is 2; expected a divisor of weight's 3 output channels",
  ),
  value(
    'convolution',
    { stride: [1, 1] },
    '/stride',
    'stride has 2 entries; expected 1, one for each spatial axis of x',
  ),
  value(
    'convolution',
    { dilation: [1, 1, 1] },
    '/dilation',
    'dilation has 3 entries; expected 1, one for each spatial axis of x',
  ),
  value(
    'convolution',
    { padding: [1, 1] },
    '/padding',
    'padding has 2 entries; expected 1, one for each spatial axis of x',
  ),
  value(
    'convolution',
    {
      padding: [
        [1, 1],
        [0, 0],
      ],
    },
    '/padding',
    'padding has 2 entries; expected 1, one for each spatial axis of x',
  ),
  value(
    'convolution',
    { output_padding: [0, 0] },
    '/output_padding',
    'output_padding has 2 entries; expected 1, one for each spatial axis of x',
  ),
  value(
    'convolution',
    { output_padding: 1 },
    '/output_padding',
    'output_padding is not 0; expected 0, because transposed is false',
  ),
  value(
    'convolution',
    { transposed: true, weight: ones(1, 2, 3), padding: 'same' },
    '/padding',
    'padding is "same"; expected integers or "valid", because transposed is true and its output size would be ambiguous',
  ),
  value(
    'convolution',
    { transposed: true, weight: ones(1, 2, 3), stride: 2, output_padding: 2 },
    '/output_padding',
    'output_padding is 2 on spatial axis 0; expected less than 2, the larger of stride and dilation there',
  ),
  upstream(
    'convolution',
    { dout: [[[1, 1, 1, 1]], [[1, 1, 1, 1]]] },
    '/dout',
    'dout has shape [2, 1, 4]; expected [2, 2, 4], because it is the gradient of out, of shape [2, 2, 4]',
  ),
];

const dropout = [
  upstream(
    'dropout',
    { dout: [0.1, 0.2, 0.3, 0.4] },
    '/dout',
    'dout has shape [4]; expected [2, 2], because it is the gradient of out, of shape [2, 2]',
  ),
];

const linear = [
  shape('linear', { weight: [1, 2, 3] }, '/weight', 'weight has shape [3]; expected [O, I]'),
  shape('linear', { weight: [[[1, 2, 3]]] }, '/weight', 'weight has shape [1, 1, 3]; expected [O, I]'),
  shape(
    'linear',
    { weight: ones(4, 5) },
    '/weight',
    'weight has shape [4, 5]; expected [4, 3], because x has 3 features',
  ),
  shape('linear', { bias: [1] }, '/bias', 'bias has shape [1]; expected [2], because weight has 2 outputs'),
  upstream(
    'linear',
    { dout: [[1, 2, 3]] },
    '/dout',
    'dout has shape [1, 3]; expected [2, 2], because it is the gradient of out, of shape [2, 2]',
  ),
  wrongBackward(
    'linear',
    { forward: { x: [[1, 2]], weight: [[1]] } },
    {
      status: 422,
      type: 'shape-mismatch',
      at: ['/forward/weight'],
      says: 'weight has shape [1, 1]; expected [1, 2], because x has 2 features',
    },
  ),
];

const lstm = [
  shape('lstm', { x: [[1, 2]] }, '/x', 'x has shape [1, 2]; expected [N, T, I]'),
  shape('lstm', { x: [[1, 2]], time_major: true }, '/x', 'x has shape [1, 2]; expected [T, N, I]'),
  shape(
    'lstm',
    { weight_hh: [0.5, 0, 0.1, -0.2] },
    '/weight_hh',
    'weight_hh has shape [4]; expected [4H, H], because direction is "forward"',
  ),
  shape(
    'lstm',
    { direction: 'bidirectional' },
    '/weight_ih',
    'weight_ih has shape [4, 1]; expected [2, 4H, 1], because direction is "bidirectional" and x has 1 feature',
  ),
  shape(
    'lstm',
    { weight_hh: ones(3, 1) },
    '/weight_hh',
    'weight_hh has shape [3, 1]; expected [4, 1], because its last axis is H = 1, and the other one is 4H',
  ),
  shape(
    'lstm',
    { weight_ih: ones(4, 2) },
    '/weight_ih',
    'weight_ih has shape [4, 2]; expected [4H, 1], because direction is "forward" and x has 1 feature',
  ),
  shape(
    'lstm',
    { bias_ih: [1] },
    '/bias_ih',
    'bias_ih has shape [1]; expected [4], because weight_hh has 1 hidden feature',
  ),
  shape(
    'lstm',
    { bias_hh: ones(2, 4) },
    '/bias_hh',
    'bias_hh has shape [2, 4]; expected [4], because weight_hh has 1 hidden feature',
  ),
  shape(
    'lstm',
    { h0: [[1, 2]] },
    '/h0',
    'h0 has shape [1, 2]; expected [1, 1], because x has a batch of 1 and weight_hh has 1 hidden feature',
  ),
  shape(
    'lstm',
    { c0: [1] },
    '/c0',
    'c0 has shape [1]; expected [1, 1], because x has a batch of 1 and weight_hh has 1 hidden feature',
  ),
  shape(
    'lstm',
    { sequence_lengths: [2, 1] },
    '/sequence_lengths',
    'sequence_lengths has shape [2]; expected [1], because x has a batch of 1',
  ),
  value(
    'lstm',
    { sequence_lengths: [3] },
    '/sequence_lengths/0',
    'sequence_lengths[0] is 3; expected 0 to 2, because x has 2 time steps',
  ),
  upstream(
    'lstm',
    { dout: [[[1]]] },
    '/dout',
    'dout has shape [1, 1, 1]; expected [1, 2, 1], because it is the gradient of out, of shape [1, 2, 1]',
  ),
  upstream(
    'lstm',
    { dc_n: [[1, 2]] },
    '/dc_n',
    'dc_n has shape [1, 2]; expected [1, 1], because it is the gradient of c_n, of shape [1, 1]',
  ),
];

const pooling = [
  shape('pooling', { x: [[1, 2]] }, '/x', `x has shape [1, 2]; expected ${SPATIAL}`),
  shape('pooling', { x: ones(1, 1, 1, 1, 1, 1) }, '/x', `x has shape [1, 1, 1, 1, 1, 1]; expected ${SPATIAL}`),
  shape(
    'pooling',
    { kernel_size: [3, 2] },
    '/kernel_size',
    'the window covers 3 elements of spatial axis 0; expected at most 2, because x has 2 there and the padding is [0, 0]',
  ),
  value(
    'pooling',
    { kernel_size: [2] },
    '/kernel_size',
    'kernel_size has 1 entry; expected 2, one for each spatial axis of x',
  ),
  value('pooling', { stride: [2] }, '/stride', 'stride has 1 entry; expected 2, one for each spatial axis of x'),
  value(
    'pooling',
    { dilation: [1, 1, 1] },
    '/dilation',
    'dilation has 3 entries; expected 2, one for each spatial axis of x',
  ),
  value('pooling', { padding: [0] }, '/padding', 'padding has 1 entry; expected 2, one for each spatial axis of x'),
  value(
    'pooling',
    { padding: [2, 0] },
    '/padding',
    'padding is 2 on spatial axis 0; expected at most 1, half of the 2 elements that the window covers',
  ),
  value(
    'pooling',
    { padding: 1_000_000_000 },
    '/padding',
    'padding is 1000000000 on spatial axis 0; expected at most 1, half of the 2 elements that the window covers',
  ),
  value(
    'pooling',
    { count_include_pad: false },
    '/count_include_pad',
    'count_include_pad is only for mode "average"; expected true with mode "max"',
  ),
  value(
    'pooling',
    { mode: 'average' },
    '/return_indices',
    'return_indices is only for mode "max"; expected false with mode "average"',
  ),
  value(
    'pooling',
    { global: true, stride: undefined },
    '/kernel_size',
    'kernel_size is only for sliding windows; expected none, because global is true',
  ),
  value(
    'pooling',
    { global: true, kernel_size: undefined },
    '/stride',
    'stride is only for sliding windows; expected none, because global is true',
  ),
  value(
    'pooling',
    { global: true, kernel_size: undefined, stride: undefined, padding: 1 },
    '/padding',
    'padding is only for sliding windows; expected 0, because global is true',
  ),
  value(
    'pooling',
    { global: true, kernel_size: undefined, stride: undefined, dilation: 2 },
    '/dilation',
    'dilation is only for sliding windows; expected 1, because global is true',
  ),
  value(
    'pooling',
    { global: true, kernel_size: undefined, stride: undefined, ceil_mode: true },
    '/ceil_mode',
    'ceil_mode is only for sliding windows; expected false, because global is true',
  ),
  upstream(
    'pooling',
    { dout: [[[[1]]]] },
    '/dout',
    'dout has shape [1, 1, 1, 1]; expected [1, 1, 1, 2], because it is the gradient of out, of shape [1, 1, 1, 2]',
  ),
];

const rnn = [
  shape('rnn', { x: [1, 2] }, '/x', 'x has shape [2]; expected [N, T, I]'),
  shape(
    'rnn',
    { weight_hh: ones(2, 2, 2) },
    '/weight_hh',
    'weight_hh has shape [2, 2, 2]; expected [H, H], because direction is "forward"',
  ),
  shape(
    'rnn',
    { weight_hh: ones(3, 2) },
    '/weight_hh',
    'weight_hh has shape [3, 2]; expected [2, 2], because its last axis is H = 2, and the other one is H',
  ),
  shape(
    'rnn',
    { direction: 'bidirectional', weight_hh: ones(3, 2, 2) },
    '/weight_ih',
    'weight_ih has shape [2, 2]; expected [2, H, 2], because direction is "bidirectional" and x has 2 features',
  ),
  shape(
    'rnn',
    { weight_ih: ones(2, 3) },
    '/weight_ih',
    'weight_ih has shape [2, 3]; expected [H, 2], because direction is "forward" and x has 2 features',
  ),
  shape(
    'rnn',
    { bias_ih: ones(2, 2) },
    '/bias_ih',
    'bias_ih has shape [2, 2]; expected [2], because weight_hh has 2 hidden features',
  ),
  shape(
    'rnn',
    { bias_hh: [1] },
    '/bias_hh',
    'bias_hh has shape [1]; expected [2], because weight_hh has 2 hidden features',
  ),
  shape(
    'rnn',
    { h0: ones(2, 2) },
    '/h0',
    'h0 has shape [2, 2]; expected [1, 2], because x has a batch of 1 and weight_hh has 2 hidden features',
  ),
  shape(
    'rnn',
    { time_major: true, sequence_lengths: [1] },
    '/sequence_lengths',
    'sequence_lengths has shape [1]; expected [2], because x has a batch of 2',
  ),
  value(
    'rnn',
    { sequence_lengths: [-1] },
    '/sequence_lengths/0',
    'sequence_lengths[0] is -1; expected 0 to 2, because x has 2 time steps',
  ),
  upstream(
    'rnn',
    { dh_n: [[1]] },
    '/dh_n',
    'dh_n has shape [1, 1]; expected [1, 2], because it is the gradient of h_n, of shape [1, 2]',
  ),
];

describe.each([
  ['batchnorm', batchnorm],
  ['convolution', convolution],
  ['dropout', dropout],
  ['linear', linear],
  ['lstm', lstm],
  ['pooling', pooling],
  ['rnn', rnn],
])('%s with shapes that do not fit', (_name, wrong: WrongRequest[]) => {
  it.each(wrong)('is refused by $post: $says', async (request) => {
    await expectRefused(service(), request);
  });
});
