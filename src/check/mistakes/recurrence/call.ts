/** A call of a recurrent layer: what its steps are given, what its axes are called, and one to show mistakes with. */
import { planRecurrence, type RecurrentInputs, type RecurrentOptions } from '../../../layers/recurrence.js';
import type { FloatArray } from '../../../tensor/tensor.js';
import type { Call, Constants, Example, Options } from '../../definition.js';
import type { Numbers } from '../../random.js';
import type { Given } from './steps.js';

export function recurrentGiven({ inputs, options, upstream }: Call, blocks: 1 | 4): Given {
  const recurrent = inputs as unknown as RecurrentInputs;
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = recurrent;
  const plan = planRecurrence(recurrent, options as unknown as RecurrentOptions, blocks);
  const { N, T, I, H, R, directions, timeMajor } = plan;
  const D = directions.length;
  const orZeros = (given: { data: unknown } | undefined, size: number) =>
    given ? (given.data as FloatArray) : new Float64Array(size);
  return {
    D,
    N,
    T,
    I,
    H,
    blocks,
    nonlinearity: String(options.nonlinearity),
    isReverse: (d) => directions[d] === 'reverse',
    timeMajor,
    lengths: sequence_lengths?.data,
    x: x.data,
    weightIh: weight_ih.data,
    weightHh: weight_hh.data,
    biasIh: orZeros(bias_ih, D * R),
    biasHh: orZeros(bias_hh, D * R),
    h0: orZeros(h0, D * N * H),
    c0: orZeros(c0, D * N * H),
    dout: orZeros(upstream.dout, N * T * D * H),
    dhLast: orZeros(upstream.dh_n, D * N * H),
    dcLast: orZeros(upstream.dc_n, D * N * H),
  };
}

/** Names of the axes of a recurrent layer's tensors. */
export function recurrentAxes(row: string) {
  return (name: string, { direction, time_major }: Options): readonly string[] => {
    const directions = direction === 'bidirectional' ? ['direction'] : [];
    if (name === 'out' || name === 'dx')
      return time_major === true ? ['time step', 'batch', 'feature'] : ['batch', 'time step', 'feature'];
    if (name.startsWith('dweight')) return [...directions, row, 'column'];
    return name.startsWith('dbias') ? [...directions, row] : [...directions, 'batch', 'feature'];
  };
}

export function recurrentConstants({ inputs, options }: Call): Constants {
  const [first, second] = inputs.x.shape;
  const [N, T] = options.time_major === true ? [second, first] : [first, second];
  return { N, T, 'N · T': N * T };
}

export const recurrentReadings = ({ direction, time_major }: Options) => [
  ...['forward', 'reverse', 'bidirectional']
    .filter((value) => value !== direction)
    .map((value) => ({ option: 'direction', value, because: 'the pass went the other way' })),
  { option: 'time_major', value: time_major !== true, because: 'batch and time were exchanged' },
];

/** @param blocks of a weight; four have a cell state */
export function recurrentExample(numbers: Numbers, needs: Options, blocks: 1 | 4): Example {
  const [N, T, I, H] = [2, 4, 3, 3];
  const R = blocks * H;
  const leading = needs.direction === 'bidirectional' ? [2] : [];
  const cell = blocks === 4;
  return {
    inputs: {
      x: numbers.tensor([N, T, I]),
      weight_ih: numbers.tensor([...leading, R, I], -1, 1),
      weight_hh: numbers.tensor([...leading, R, H], -1, 1),
      bias_ih: numbers.tensor([...leading, R], -1, 1),
      bias_hh: numbers.tensor([...leading, R], -1, 1),
      h0: numbers.tensor([...leading, N, H], -1, 1),
      ...(cell ? { c0: numbers.tensor([...leading, N, H], -1, 1) } : {}),
      sequence_lengths: numbers.integers([T, T - 1]),
    },
    options: { direction: 'forward', time_major: false, ...(cell ? {} : { nonlinearity: 'tanh' }), ...needs },
    upstream: ['out', 'h_n', ...(cell ? ['c_n'] : [])],
  };
}
