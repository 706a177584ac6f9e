/** What the checks of recurrent layers share: names of axes, constants, readings and examples. */
import { cells, type Cell } from '../../../kernels/kernels.js';
import type { Instance, Options } from '../../../layers/instance.js';
import { TIME, type Constants, type Example } from '../../definition.js';
import type { Numbers } from '../../random.js';

/** Names of the axes of a recurrent layer's tensors. */
function recurrentAxes(row: string) {
  return (name: string, { direction, time_major }: Options): readonly string[] => {
    const directions = direction === 'bidirectional' ? ['direction'] : [];
    if (name === 'out' || name === 'dx')
      return time_major === true ? [TIME, 'batch', 'feature'] : ['batch', TIME, 'feature'];
    if (name.startsWith('dweight')) return [...directions, row, 'column'];
    return name.startsWith('dbias') ? [...directions, row] : [...directions, 'batch', 'feature'];
  };
}

function recurrentConstants({ inputs, options }: Instance): Constants {
  const [first, second] = inputs.x.shape;
  const [N, T] = options.time_major === true ? [second, first] : [first, second];
  return { N, T, 'N · T': N * T };
}

const recurrentReadings = ({ direction, time_major }: Options) => [
  ...['forward', 'reverse', 'bidirectional']
    .filter((value) => value !== direction)
    .map((value) => ({ option: 'direction', value, because: 'the pass ran in another direction' })),
  { option: 'time_major', value: time_major !== true, because: 'batch and time were swapped' },
];

const recurrentIdle = {
  direction: ({ options }: Instance) => options.direction === 'forward',
  time_major: ({ options }: Instance) => options.time_major !== true,
};

function recurrentExample(numbers: Numbers, needs: Options, cell: Cell): Example {
  const [N, T, I, H] = [2, 4, 3, 3];
  const { gates, hasCellState } = cells[cell];
  const R = gates.length * H;
  const leading = needs.direction === 'bidirectional' ? [2] : [];
  return {
    inputs: {
      x: numbers.tensor([N, T, I]),
      weight_ih: numbers.tensor([...leading, R, I], -1, 1),
      weight_hh: numbers.tensor([...leading, R, H], -1, 1),
      bias_ih: numbers.tensor([...leading, R], -1, 1),
      bias_hh: numbers.tensor([...leading, R], -1, 1),
      h0: numbers.tensor([...leading, N, H], -1, 1),
      ...(hasCellState ? { c0: numbers.tensor([...leading, N, H], -1, 1) } : {}),
      sequence_lengths: numbers.integers([T, T - 1]),
    },
    options: { direction: 'forward', time_major: false, ...needs },
    upstream: ['out', 'h_n', ...(hasCellState ? ['c_n'] : [])],
  };
}

/**
 * What the checks of both layers have in common.
 * @param row of a weight, as it is called
 * @param defaults of the options that only this layer has
 */
export const recurrentChecks = (cell: Cell, row: string, defaults: Options = {}) => ({
  axes: recurrentAxes(row),
  constants: recurrentConstants,
  readings: recurrentReadings,
  idle: recurrentIdle,
  example: (numbers: Numbers, needs: Options) => recurrentExample(numbers, { ...defaults, ...needs }, cell),
});
