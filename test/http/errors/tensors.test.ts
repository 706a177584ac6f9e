import { describe, it } from 'vitest';
import {
  expectProblem,
  expectRefused,
  wrongBackward,
  wrongForward,
  type Refused,
  type WrongRequest,
} from '../../support/problem.js';
import { forwardWith, good, layerNames, schemasOf, type Body, type LayerName } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();

const NUMBERS = ' (or "NaN", "Infinity", "-Infinity")';

type Wrong = Omit<Refused, 'status'>;

const forward = (layer: LayerName, changes: Body, refused: Wrong) =>
  wrongForward(layer, changes, { status: 400, ...refused });
const backward = (layer: LayerName, changes: Body, refused: Wrong) =>
  wrongBackward(layer, changes, { status: 400, ...refused });

/** A number inside `depth` arrays. */
function nested(depth: number): unknown {
  return JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
}

const wrong: WrongRequest[] = [
  forward(
    'linear',
    { x: [] },
    { type: 'invalid-tensor', at: ['/x'], says: '/x is an empty array; expected at least one entry' },
  ),
  forward(
    'linear',
    { x: [[]] },
    { type: 'invalid-tensor', at: ['/x/0'], says: '/x/0 is an empty array; expected at least one entry' },
  ),
  forward(
    'linear',
    { x: [[1, 2, 3], []] },
    {
      type: 'invalid-tensor',
      at: ['/x/1'],
      says: '/x/1 has 0 entries; expected 3, as its neighbour /x/0 has',
    },
  ),
  forward(
    'linear',
    { x: [[1, 2, 3], [4]] },
    { type: 'ragged-tensor', at: ['/x/1'], says: '/x/1 has 1 entry; expected 3, as its neighbour /x/0 has' },
  ),
  forward(
    'linear',
    {
      x: [
        [1, 2, 3],
        [4, 5, 6, 7],
      ],
    },
    { type: 'ragged-tensor', at: ['/x/1'], says: '/x/1 has 4 entries; expected 3, as its neighbour /x/0 has' },
  ),
  forward(
    'linear',
    { x: [[1, 2, 3], 4] },
    { type: 'ragged-tensor', at: ['/x/1'], says: '/x/1 is 4; expected an array of 3, as /x/0 is' },
  ),
  forward(
    'linear',
    { x: [1, [2, 3]] },
    { type: 'ragged-tensor', at: ['/x/1'], says: '/x/1 is an array of 2; expected a number, as /x/0 is' },
  ),
  forward(
    'linear',
    { x: [[1, 2, 3], null] },
    { type: 'invalid-tensor', at: ['/x/1'], says: '/x/1 is null; expected an array of 3, as /x/0 is' },
  ),
  forward(
    'linear',
    { x: [[1, 2, [3]]] },
    { type: 'ragged-tensor', at: ['/x/0/2'], says: '/x/0/2 is an array of 1; expected a number, as /x/0/0 is' },
  ),
  forward(
    'linear',
    { weight: [[0.1, null, 0.3]] },
    { type: 'invalid-tensor', at: ['/weight/0/1'], says: `/weight/0/1 is null; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { weight: [[0.1, '0.5', 0.3]] },
    { type: 'invalid-tensor', at: ['/weight/0/1'], says: `/weight/0/1 is "0.5"; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { bias: [true, false] },
    { type: 'invalid-tensor', at: ['/bias/0'], says: `/bias/0 is true; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { bias: [0.5, { value: 1 }] },
    { type: 'invalid-tensor', at: ['/bias/1'], says: `/bias/1 is an object; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { x: [['nan', 2, 3]] },
    { type: 'invalid-tensor', at: ['/x/0/0'], says: `/x/0/0 is "nan"; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { x: [['+Infinity', 2, 3]] },
    { type: 'invalid-tensor', at: ['/x/0/0'], says: `/x/0/0 is "+Infinity"; expected a number${NUMBERS}` },
  ),
  forward(
    'linear',
    { x: [['a'.repeat(50), 2, 3]] },
    {
      type: 'invalid-tensor',
      at: ['/x/0/0'],
      says: `/x/0/0 is "${'a'.repeat(40)}…"; expected a number${NUMBERS}`,
    },
  ),
  forward(
    'linear',
    { x: nested(33) },
    { type: 'invalid-tensor', at: ['/x'], says: '/x is nested deeper than 32 arrays' },
  ),
  {
    post: 'linear',
    body: `{"x":${'['.repeat(1e5)}1${']'.repeat(1e5)},"weight":[[1]]}`,
    status: 400,
    type: 'invalid-json',
    says: 'the body is nested deeper than 512 arrays and objects',
  },
  {
    post: 'linear/forward',
    body: '{"x":[[1,1e400]],"weight":[[1,1]]}',
    status: 400,
    type: 'number-out-of-range',
    at: ['/x/0/1'],
    says: '/x/0/1 is beyond the range of float64 (about ±1.8e308); an infinity is written "Infinity"',
  },
  {
    post: 'linear',
    body: '{"x":[[1,1]],"weight":[[1,-1e999]]}',
    status: 400,
    type: 'number-out-of-range',
    at: ['/weight/0/1'],
    says: '/weight/0/1 is beyond the range of float64 (about ±1.8e308); an infinity is written "Infinity"',
  },
  forward(
    'linear',
    { dtype: 'float32', x: [[1, 2, 1e39]] },
    {
      type: 'number-out-of-range',
      at: ['/x/0/2'],
      says: '/x/0/2 is beyond the range of float32 (about ±3.4e38); an infinity is written "Infinity"',
    },
  ),
  forward(
    'batchnorm',
    { dtype: 'float32', running_var: [1, -3.5e38] },
    {
      type: 'number-out-of-range',
      at: ['/running_var/1'],
      says: '/running_var/1 is beyond the range of float32 (about ±3.4e38); an infinity is written "Infinity"',
    },
  ),
  forward(
    'convolution',
    { x: [[[1, 2, 3, 4]], [[5, 6, 7]]] },
    { type: 'ragged-tensor', at: ['/x/1/0'], says: '/x/1/0 has 3 entries; expected 4, as its neighbour /x/1/0 has' },
  ),
  forward(
    'convolution',
    { weight: [[[1, 0, -1]], [[2, 1, '0']]] },
    { type: 'invalid-tensor', at: ['/weight/1/0/2'], says: `/weight/1/0/2 is "0"; expected a number${NUMBERS}` },
  ),
  forward(
    'pooling',
    { x: [[[[1, 3], [4]]]] },
    {
      type: 'ragged-tensor',
      at: ['/x/0/0/1'],
      says: '/x/0/0/1 has 1 entry; expected 2, as its neighbour /x/0/0/0 has',
    },
  ),
  forward(
    'dropout',
    { x: 1 },
    { type: 'invalid-tensor', at: ['/x'], says: '/x is 1; expected a tensor, nested arrays of numbers' },
  ),
  forward(
    'dropout',
    { x: 'Infinity' },
    { type: 'invalid-tensor', at: ['/x'], says: '/x is "Infinity"; expected a tensor, nested arrays of numbers' },
  ),
  forward(
    'rnn',
    { sequence_lengths: [1.5] },
    {
      type: 'invalid-tensor',
      at: ['/sequence_lengths/0'],
      says: '/sequence_lengths/0 is 1.5; expected an integer',
    },
  ),
  forward(
    'rnn',
    { sequence_lengths: ['2'] },
    { type: 'invalid-tensor', at: ['/sequence_lengths/0'], says: '/sequence_lengths/0 is "2"; expected an integer' },
  ),
  forward(
    'lstm',
    { sequence_lengths: ['NaN'] },
    { type: 'invalid-tensor', at: ['/sequence_lengths/0'], says: '/sequence_lengths/0 is "NaN"; expected an integer' },
  ),
  forward(
    'lstm',
    { sequence_lengths: [null] },
    { type: 'invalid-tensor', at: ['/sequence_lengths/0'], says: '/sequence_lengths/0 is null; expected an integer' },
  ),
  forward(
    'lstm',
    { sequence_lengths: [1e10] },
    {
      type: 'invalid-tensor',
      at: ['/sequence_lengths/0'],
      says: '/sequence_lengths/0 is 10000000000; expected a 32-bit integer',
    },
  ),
  backward(
    'linear',
    { dout: [[1, 0.5], [2]] },
    { type: 'ragged-tensor', at: ['/dout/1'], says: '/dout/1 has 1 entry; expected 2, as its neighbour /dout/0 has' },
  ),
  backward(
    'rnn',
    { dh_n: [[1, '1']] },
    { type: 'invalid-tensor', at: ['/dh_n/0/1'], says: `/dh_n/0/1 is "1"; expected a number${NUMBERS}` },
  ),
  backward(
    'lstm',
    { dc_n: [[]] },
    { type: 'invalid-tensor', at: ['/dc_n/0'], says: '/dc_n/0 is an empty array; expected at least one entry' },
  ),
  backward(
    'pooling',
    { forward: forwardWith('pooling', { x: [[['a']]] }) },
    { type: 'invalid-tensor', at: ['/forward/x/0/0/0'], says: `/forward/x/0/0/0 is "a"; expected a number${NUMBERS}` },
  ),
  backward(
    'linear',
    { forward: forwardWith('linear', { dtype: 'float32' }), dout: [[1e300, 0]] },
    {
      type: 'number-out-of-range',
      at: ['/dout/0/0'],
      says: '/dout/0/0 is beyond the range of float32 (about ±3.4e38); an infinity is written "Infinity"',
    },
  ),
];

describe('an invalid tensor', () => {
  it.each(wrong)('$post refuses it: $says', async (request) => {
    await expectRefused(service(), request);
  });
});

const noTensors = [
  [null, 'null'],
  [1, '1'],
  ['1', '"1"'],
  [true, 'true'],
  [{}, 'an object'],
] as const;

describe.each(layerNames)('every tensor of %s', (name) => {
  const { inputs, upstream } = schemasOf(name);

  it.each(Object.keys(inputs.properties))('%s in forward must be nested arrays', async (tensor) => {
    for (const [value, shown] of noTensors) {
      const says = `/${tensor} is ${shown}; expected a tensor, nested arrays of numbers`;
      const body = forwardWith(name, { [tensor]: value });
      await expectRefused(service(), {
        post: `${name}/forward`,
        body,
        status: 400,
        type: 'invalid-tensor',
        at: [`/${tensor}`],
        says,
      });
    }
  });

  it.each(Object.keys(upstream.properties))('%s in backward must be nested arrays', async (tensor) => {
    const { session } = await call(service(), name, good[name].forward);
    for (const [value, shown] of noTensors) {
      const response = await service()
        .client.post(`/${name}/backward`)
        .send({ ...good[name].backward, session, [tensor]: value });
      expectProblem(response, {
        status: 400,
        type: 'invalid-tensor',
        at: [`/${tensor}`],
        says: `/${tensor} is ${shown}; expected a tensor, nested arrays of numbers`,
      });
    }
    await call(service(), `${name}/backward`, { ...good[name].backward, session });
  });
});
