import { describe, it } from 'vitest';
import { expectRefused } from '../../support/problem.js';
import { backwardWith, forwardWith, layerNames, type LayerName } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();

const BOOLEAN = 'true or false';
const SIZE = 'an integer from 1 to 2147483647';
const PER_AXIS = 'an integer from 1 to 2147483647, or an array of one to three of them, one for each spatial axis';
const PER_AXIS_FROM_0 = PER_AXIS.replace('from 1', 'from 0');
const PADDING =
  'an integer from 0 to 2147483647, an array of one to three of integers or [before, after] pairs, "valid", "same" or "same_lower"';
const PAD = 'an integer from 0 to 2147483647';
const PAD_OR_PAIR = `${PAD}, or a pair of them, [before, after]`;
const SEED = 'an integer from 0 to 9007199254740991';
const MODE = '"max" or "average"';
const SCALING = '"inverted" or "test_time"';
const NONLINEARITY = '"tanh" or "relu"';
const DIRECTION = '"forward" or "reverse" or "bidirectional"';
const DTYPE = '"float64" or "float32"';

/** Layer, option, an invalid value, how the message shows it or its entry, what was expected, and where in the value. */
const wrong: [LayerName, option: string, value: unknown, shown: string, expected: string, entry?: string][] = [
  ['batchnorm', 'training', 'true', '"true"', BOOLEAN],
  ['batchnorm', 'training', 1, '1', BOOLEAN],
  ['batchnorm', 'training', null, 'null', BOOLEAN],
  ['batchnorm', 'epsilon', -1e-5, '-0.00001', 'a number, at least 0'],
  ['batchnorm', 'epsilon', '1e-5', '"1e-5"', 'a number, at least 0'],
  ['batchnorm', 'epsilon', null, 'null', 'a number, at least 0'],
  ['batchnorm', 'epsilon', true, 'true', 'a number, at least 0'],
  ['batchnorm', 'epsilon', [1e-5], 'an array of 1', 'a number, at least 0'],
  ['batchnorm', 'epsilon', 'NaN', '"NaN"', 'a number, at least 0'],
  ['batchnorm', 'momentum', -0.1, '-0.1', 'a number from 0 to 1'],
  ['batchnorm', 'momentum', 1.1, '1.1', 'a number from 0 to 1'],
  ['batchnorm', 'momentum', '0.1', '"0.1"', 'a number from 0 to 1'],
  ['batchnorm', 'momentum', null, 'null', 'a number from 0 to 1'],

  ['convolution', 'stride', 0, '0', PER_AXIS],
  ['convolution', 'stride', -1, '-1', PER_AXIS],
  ['convolution', 'stride', 1.5, '1.5', PER_AXIS],
  ['convolution', 'stride', '1', '"1"', PER_AXIS],
  ['convolution', 'stride', null, 'null', PER_AXIS],
  ['convolution', 'stride', true, 'true', PER_AXIS],
  ['convolution', 'stride', {}, 'an object', PER_AXIS],
  ['convolution', 'stride', [], 'an empty array', PER_AXIS],
  ['convolution', 'stride', [0], '0', SIZE, '/0'],
  ['convolution', 'stride', ['1'], '"1"', SIZE, '/0'],
  ['convolution', 'stride', [1.5], '1.5', SIZE, '/0'],
  ['convolution', 'stride', [1, 1, 1, 1], 'an array of 4', PER_AXIS],
  ['convolution', 'stride', 2 ** 31, '2147483648', PER_AXIS],
  ['convolution', 'stride', 1e300, '1e+300', PER_AXIS],
  ['convolution', 'padding', -1, '-1', PADDING],
  ['convolution', 'padding', 1.5, '1.5', PADDING],
  ['convolution', 'padding', '1', '"1"', PADDING],
  ['convolution', 'padding', 'SAME', '"SAME"', PADDING],
  ['convolution', 'padding', null, 'null', PADDING],
  ['convolution', 'padding', false, 'false', PADDING],
  ['convolution', 'padding', [], 'an empty array', PADDING],
  ['convolution', 'padding', [[1, 2, 3]], 'an array of 3', PAD_OR_PAIR, '/0'],
  ['convolution', 'padding', [[1]], 'an array of 1', PAD_OR_PAIR, '/0'],
  ['convolution', 'padding', [[-1, 0]], '-1', PAD, '/0/0'],
  ['convolution', 'padding', [[0.5, 0]], '0.5', PAD, '/0/0'],
  ['convolution', 'padding', ['same'], '"same"', PAD_OR_PAIR, '/0'],
  ['convolution', 'padding', [null], 'null', PAD_OR_PAIR, '/0'],
  ['convolution', 'dilation', 0, '0', PER_AXIS],
  ['convolution', 'dilation', 1.5, '1.5', PER_AXIS],
  ['convolution', 'dilation', '1', '"1"', PER_AXIS],
  ['convolution', 'dilation', [1, 2, 3, 4], 'an array of 4', PER_AXIS],
  ['convolution', 'dilation', null, 'null', PER_AXIS],
  ['convolution', 'groups', 0, '0', SIZE],
  ['convolution', 'groups', -2, '-2', SIZE],
  ['convolution', 'groups', 1.5, '1.5', SIZE],
  ['convolution', 'groups', '1', '"1"', SIZE],
  ['convolution', 'groups', null, 'null', SIZE],
  ['convolution', 'groups', [1], 'an array of 1', SIZE],
  ['convolution', 'groups', 2 ** 53, '9007199254740992', SIZE],
  ['convolution', 'transposed', 'false', '"false"', BOOLEAN],
  ['convolution', 'transposed', 0, '0', BOOLEAN],
  ['convolution', 'transposed', null, 'null', BOOLEAN],
  ['convolution', 'output_padding', -1, '-1', PER_AXIS_FROM_0],
  ['convolution', 'output_padding', 0.5, '0.5', PER_AXIS_FROM_0],
  ['convolution', 'output_padding', '0', '"0"', PER_AXIS_FROM_0],
  ['convolution', 'output_padding', [0, 0, 0, 0], 'an array of 4', PER_AXIS_FROM_0],

  ['dropout', 'rate', -0.1, '-0.1', 'a number from 0 to 1'],
  ['dropout', 'rate', 1.01, '1.01', 'a number from 0 to 1'],
  ['dropout', 'rate', 50, '50', 'a number from 0 to 1'],
  ['dropout', 'rate', '0.5', '"0.5"', 'a number from 0 to 1'],
  ['dropout', 'rate', null, 'null', 'a number from 0 to 1'],
  ['dropout', 'rate', [0.5], 'an array of 1', 'a number from 0 to 1'],
  ['dropout', 'training', 'yes', '"yes"', BOOLEAN],
  ['dropout', 'training', 0, '0', BOOLEAN],
  ['dropout', 'scaling', 'Inverted', '"Inverted"', SCALING],
  ['dropout', 'scaling', null, 'null', SCALING],
  ['dropout', 'scaling', true, 'true', SCALING],
  ['dropout', 'seed', -1, '-1', SEED],
  ['dropout', 'seed', 1.5, '1.5', SEED],
  ['dropout', 'seed', 2 ** 53, '9007199254740992', SEED],
  ['dropout', 'seed', '7', '"7"', SEED],
  ['dropout', 'seed', null, 'null', SEED],

  ['pooling', 'mode', 'avg', '"avg"', MODE],
  ['pooling', 'mode', 'MAX', '"MAX"', MODE],
  ['pooling', 'mode', null, 'null', MODE],
  ['pooling', 'mode', 0, '0', MODE],
  ['pooling', 'kernel_size', 0, '0', PER_AXIS],
  ['pooling', 'kernel_size', 2.5, '2.5', PER_AXIS],
  ['pooling', 'kernel_size', '2', '"2"', PER_AXIS],
  ['pooling', 'kernel_size', null, 'null', PER_AXIS],
  ['pooling', 'kernel_size', [], 'an empty array', PER_AXIS],
  ['pooling', 'kernel_size', [2, -2], '-2', SIZE, '/1'],
  ['pooling', 'stride', 0, '0', PER_AXIS],
  ['pooling', 'stride', [2, '2'], '"2"', SIZE, '/1'],
  ['pooling', 'padding', -1, '-1', PADDING],
  ['pooling', 'padding', 'full', '"full"', PADDING],
  ['pooling', 'padding', [[0, 0, 0]], 'an array of 3', PAD_OR_PAIR, '/0'],
  ['pooling', 'dilation', 0, '0', PER_AXIS],
  ['pooling', 'dilation', null, 'null', PER_AXIS],
  ['pooling', 'ceil_mode', 1, '1', BOOLEAN],
  ['pooling', 'ceil_mode', 'true', '"true"', BOOLEAN],
  ['pooling', 'count_include_pad', 'no', '"no"', BOOLEAN],
  ['pooling', 'count_include_pad', null, 'null', BOOLEAN],
  ['pooling', 'global', 'yes', '"yes"', BOOLEAN],
  ['pooling', 'global', [], 'an empty array', BOOLEAN],
  ['pooling', 'return_indices', null, 'null', BOOLEAN],
  ['pooling', 'return_indices', 1, '1', BOOLEAN],

  ['rnn', 'nonlinearity', 'sigmoid', '"sigmoid"', NONLINEARITY],
  ['rnn', 'nonlinearity', null, 'null', NONLINEARITY],
  ['rnn', 'nonlinearity', ['tanh'], 'an array of 1', NONLINEARITY],
  ['rnn', 'direction', 'backward', '"backward"', DIRECTION],
  ['rnn', 'direction', true, 'true', DIRECTION],
  ['rnn', 'time_major', 'no', '"no"', BOOLEAN],
  ['rnn', 'time_major', 1, '1', BOOLEAN],
  ['lstm', 'direction', 'both', '"both"', DIRECTION],
  ['lstm', 'direction', null, 'null', DIRECTION],
  ['lstm', 'time_major', null, 'null', BOOLEAN],
  ['lstm', 'time_major', {}, 'an object', BOOLEAN],

  ...layerNames.flatMap((layer): typeof wrong => [
    [layer, 'dtype', 'float16', '"float16"', DTYPE],
    [layer, 'dtype', 'Float64', '"Float64"', DTYPE],
    [layer, 'dtype', 64, '64', DTYPE],
    [layer, 'dtype', null, 'null', DTYPE],
    [layer, 'session', 'no', '"no"', BOOLEAN],
    [layer, 'session', 0, '0', BOOLEAN],
    [layer, 'session', null, 'null', BOOLEAN],
  ]),
];

describe('an invalid value of an option', () => {
  it.each(wrong)(
    '%s refuses %s: %j, in forward and in backward',
    async (layer, option, value, shown, expected, entry = '') => {
      await expectRefused(service(), {
        post: `${layer}/forward`,
        body: forwardWith(layer, { [option]: value }),
        status: 400,
        type: 'invalid-request',
        at: [`/${option}${entry}`],
        says: `/${option}${entry} is ${shown}; expected ${expected}`,
      });
      const inBackward = option === 'session' ? 'false' : expected;
      await expectRefused(service(), {
        post: `${layer}/backward`,
        body: backwardWith(layer, { forward: forwardWith(layer, { [option]: value }) }),
        status: 400,
        type: 'invalid-request',
        at: [`/forward/${option}${entry}`],
        says: `/forward/${option}${entry} is ${shown}; expected ${inBackward}`,
      });
    },
  );

  it('refuses a number beyond the range of float64', async () => {
    await expectRefused(service(), {
      post: 'batchnorm',
      body: '{"x":[[1],[2]],"epsilon":1e400}',
      status: 400,
      type: 'invalid-request',
      at: ['/epsilon'],
      says: '/epsilon is a number beyond the range of float64; expected a number, at least 0',
    });
  });
});

describe('an option that the layer does not have', () => {
  it.each([
    ['batchnorm', 'eps'],
    ['batchnorm', 'kernel_size'],
    ['convolution', 'strides'],
    ['convolution', 'ceil_mode'],
    ['dropout', 'p'],
    ['dropout', 'epsilon'],
    ['linear', 'training'],
    ['linear', 'weights'],
    ['lstm', 'nonlinearity'],
    ['lstm', 'hidden_size'],
    ['pooling', 'groups'],
    ['pooling', 'transposed'],
    ['rnn', 'c0'],
    ['rnn', 'batch_first'],
  ] as const)('%s refuses %s, in forward and in backward', async (layer, option) => {
    for (const [post, at, body] of [
      [`${layer}/forward`, `/${option}`, forwardWith(layer, { [option]: 1 })],
      [
        `${layer}/backward`,
        `/forward/${option}`,
        backwardWith(layer, { forward: forwardWith(layer, { [option]: 1 }) }),
      ],
    ] as const)
      await expectRefused(service(), {
        post,
        body,
        status: 400,
        type: 'invalid-request',
        at: [at],
        says: new RegExp(`^${at} is unknown; expected one of x, .*dtype, session$`),
      });
  });
});
