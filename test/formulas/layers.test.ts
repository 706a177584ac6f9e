import { describe, expect, it } from 'vitest';
import type { Instance } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { applyDefaults } from '../../src/validation/validate.js';
import { float64, integers } from '../support/layer.js';
import { flatten, referenceCases, TOLERANCE, type Nested } from '../support/reference.js';
import { drawnIn, errorsIn, evaluationOf, formulasSuite } from './layers.js';

function checksOf(name: string): Checks {
  const found = allChecks.find(({ layer }) => layer.name === name);
  if (!found) throw new Error(`no layer ${name}`);
  return found;
}

/** The instance of a request: its tensors as nested arrays, its other fields as they are. */
function instanceOf({ layer }: Checks, forward: object, upstream: Readonly<Record<string, Nested>>): Instance {
  const fields = Object.entries(forward) as [string, Nested][];
  const isInput = (name: string) => name in layer.schemas.inputs.properties;
  const decoded = ([name, value]: [string, Nested]): [string, Tensor] => [
    name,
    name === 'sequence_lengths' ? integers(value) : float64(value),
  ];
  const options: Record<string, unknown> = Object.fromEntries(fields.filter(([name]) => !isInput(name)));
  applyDefaults(layer.schemas.options, options);
  return {
    inputs: Object.fromEntries(fields.filter(([name]) => isInput(name)).map(decoded)),
    options,
    upstream: Object.fromEntries(Object.entries(upstream).map(decoded)),
    drawn: {},
  };
}

// The long test covers more instances.
describe('the formulas', () => {
  formulasSuite({ instances: 15 });

  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'of %s agree with PyTorch',
    (name, checks) => {
      const cases = referenceCases(name).filter(({ dtype }) => dtype === 'float64');
      const errors = cases.flatMap(({ name: title, forward, backward, answers, gradients }) => {
        const evaluation = evaluationOf(checks, drawnIn(checks, instanceOf(checks, forward, backward)));
        return Object.entries({ ...answers, ...gradients }).flatMap(([result, nested]) => {
          const own = evaluation.right(result);
          const values = flatten(nested);
          const largest = Math.max(1e-3, ...values.map(Math.abs));
          const apart = Math.max(...values.map((value, i) => Math.abs(value - own[i])));
          const isClose = own.length === values.length && apart <= TOLERANCE.float64 * largest;
          return isClose ? [] : [`${title}: ${result} is off by ${apart}`];
        });
      });
      expect(cases.length).toBeGreaterThan(0);
      expect(errors).toEqual([]);
    },
  );

  const row = (...values: number[]) => [[values]];

  it.each<readonly [name: string, layer: string, forward: object, upstream: Readonly<Record<string, Nested>>]>([
    [
      'skip taps in the padding, even under an infinite weight',
      'convolution',
      { x: row(1, 2, 3), weight: row(Infinity, 1), padding: [[2, 0]] },
      { dout: row(1, 1, 1, 1) },
    ],
    [
      'skip padded elements of x in the gradient of a weight',
      'convolution',
      { x: row(1, 2, 3), weight: row(1, 1), padding: [[1, 0]] },
      { dout: row(Infinity, 1, 1) },
    ],
    [
      'skip elements of x between the windows',
      'convolution',
      { x: row(1, NaN, 3, Infinity, 5), weight: row(2), stride: 2 },
      { dout: row(1, 1, 1) },
    ],
    [
      'skip what a transposed convolution crops',
      'convolution',
      { x: row(1, 2), weight: row(Infinity, 1, 1), padding: 1, stride: 2, transposed: true },
      { dout: row(1, 1, 1) },
    ],
    [
      'skip the padding in an average',
      'pooling',
      { x: row(Infinity, 1, 2, 3), mode: 'average', kernel_size: 2, padding: 1 },
      { dout: row(1, 1, NaN) },
    ],
    [
      'never choose the padding as the maximum',
      'pooling',
      { x: row(-Infinity, -1, -Infinity), mode: 'max', kernel_size: 2, padding: 1, return_indices: true },
      { dout: row(1, 2) },
    ],
    [
      'choose the last NaN as the maximum',
      'pooling',
      { x: row(NaN, 1, NaN, 2), mode: 'max', kernel_size: 4, return_indices: true },
      { dout: row(1) },
    ],
    [
      'choose the first of equal maxima',
      'pooling',
      { x: row(1, 3, 3, 2), mode: 'max', kernel_size: 4, return_indices: true },
      { dout: row(1) },
    ],
    [
      'return 0 for dropped elements, even infinite ones',
      'dropout',
      { x: [Infinity, NaN, -Infinity, NaN, 1, 2, 3, 4], rate: 0.5, seed: 3 },
      { dout: [NaN, Infinity, NaN, 1, NaN, Infinity, 1, NaN] },
    ],
    [
      'return zeros for a dropout rate of 1 in training',
      'dropout',
      { x: [1, NaN, Infinity], rate: 1, seed: 3 },
      { dout: [1, NaN, Infinity] },
    ],
    [
      'return zeros for a dropout rate of 1 in inference',
      'dropout',
      { x: [1, NaN, Infinity], rate: 1, training: false, scaling: 'test_time' },
      { dout: [1, NaN, Infinity] },
    ],
    [
      'pass the gradient of relu on where x is NaN',
      'activation',
      { x: [NaN, 1, -1], function: 'relu' },
      { dout: [2, 3, 4] },
    ],
    [
      'stop an infinite gradient where relu is 0',
      'activation',
      { x: [-1, 0, 1], function: 'relu' },
      { dout: [Infinity, NaN, -Infinity] },
    ],
    [
      'stop an infinite gradient where relu is 0 in a recurrence',
      'rnn',
      { x: [[[-1], [1]]], weight_ih: [[1]], weight_hh: [[0.5]], nonlinearity: 'relu' },
      { dout: [[[Infinity], [1]]] },
    ],
    [
      'pass the gradient of relu on where a state is NaN',
      'rnn',
      { x: [[[1], [NaN]]], weight_ih: [[1]], weight_hh: [[0.5]], nonlinearity: 'relu' },
      { dout: [[[1], [1]]] },
    ],
  ])('%s (%s)', (_, layer, forward, upstream) => {
    const checks = checksOf(layer);
    expect(errorsIn(checks, instanceOf(checks, forward, upstream))).toEqual([]);
  });
});
