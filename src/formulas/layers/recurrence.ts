/** What the formulas of recurrent layers share. */
import type { Instance } from '../../layers/instance.js';
import type { TableSlip } from '../program.js';
import { tensorsOf, type Source } from '../program.js';

export interface RecurrentSizes {
  readonly D: number;
  readonly N: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  /** Steps of each sequence. */
  readonly of: readonly number[];
  readonly isReverse: (d: number) => boolean;
}

export function recurrentSizes({ inputs, options }: Instance): RecurrentSizes {
  const { x, weight_ih, weight_hh } = inputs;
  const { direction, time_major } = options as { direction: string; time_major: boolean };
  const [N, T] = time_major ? [x.shape[1], x.shape[0]] : x.shape;
  return {
    ...{ N, T },
    D: direction === 'bidirectional' ? 2 : 1,
    I: weight_ih.shape[weight_ih.shape.length - 1],
    H: weight_hh.shape[weight_hh.shape.length - 1],
    of: 'sequence_lengths' in inputs ? Array.from(inputs.sequence_lengths.data) : Array<number>(N).fill(T),
    isReverse: (d) => direction === 'reverse' || d === 1,
  };
}

/** An element for each direction, sequence and step: a table over time, which comes first in memory, directions and sequences. */
export const overTime = (
  { D, N, T }: Pick<RecurrentSizes, 'D' | 'N' | 'T'>,
  of: (d: number, n: number, t: number) => number,
): Int32Array =>
  Int32Array.from({ length: T * D * N }, (_, i) => of(Math.floor(i / N) % D, i % N, Math.floor(i / N / D)));

/** Time has two axes: s indexes the elements of x, t counts the steps in the order of the pass. */
export function recurrenceOf(instance: Instance, gates: readonly string[]) {
  const { x, weight_ih, weight_hh } = instance.inputs;
  const { bias_ih, bias_hh, h0, c0, sequence_lengths, dout, dh_n, dc_n } = tensorsOf(instance);
  const { time_major } = instance.options as { time_major: boolean };
  const sizes = recurrentSizes(instance);
  const { D, N, T, I, H, of, isReverse } = sizes;
  const G = gates.length;
  const time = overTime(sizes, (d, n, t) => (t >= of[n] ? -1 : isReverse(d) ? of[n] - 1 - t : t));
  const x_axes = time_major ? 'sn' : 'ns';
  const rows = Object.fromEntries(
    gates.map((gate, block) => [`row_${gate} j`, Int32Array.from({ length: H }, (_, j) => block * H + j)]),
  );
  const subscripts = (last: string) => (time_major ? `time,n,${last}` : `n,time,${last}`);
  const biases = [bias_ih ? ' + bias_ih' : '', bias_hh ? ' + bias_hh' : ''].join('');
  const given: Source['given'] = {
    [`x ${x_axes}i`]: x.data,
    'weight_ih dri': weight_ih.data,
    'weight_hh drk': weight_hh.data,
    'bias_ih dr': bias_ih?.data,
    'bias_hh dr': bias_hh?.data,
    'h0 dnj': h0?.data,
    'c0 dnj': c0?.data,
    'time dnt': time,
    'column dj': Int32Array.from({ length: D * H }, (_, i) => i),
    last: T - 1,
    [`dout ${x_axes}e`]: dout?.data,
    'dh_n dnj': dh_n?.data,
    'dc_n dnj': dc_n?.data,
    ...rows,
    ...forMistakes(sizes, G, time_major),
  };
  const weights = [
    'dweight_ih[d,r,i] = Σ_nt dz · x_t',
    'dweight_hh[d,r,k] = Σ_nt dz · h[d,n,t−1,k]',
    ...(bias_ih ? ['dbias_ih[d,r] = Σ_nt dz'] : []),
    ...(bias_hh ? ['dbias_hh[d,r] = Σ_nt dz'] : []),
  ];
  return {
    axes: { d: D, n: N, t: T, s: T, r: G * H, j: H, k: H, i: I, e: D * H },
    given,
    shapes: { x_t: 'dnti', z: 'dntr', dz: 'dntr', out: `${x_axes}e`, dout_t: 'dntj', dx: `${x_axes}i` },
    ...(sequence_lengths ? { lengths: { axis: 'n', of } } : {}),
    forward: [
      `x_t[d,n,t,i] = x[${subscripts('i')}]`,
      ...(h0 ? ['h_start[d,n,j] = h0'] : []),
      ...(c0 ? ['c_start[d,n,j] = c0'] : []),
    ],
    preactivation: `z[d,n,t,r] = Σ_i weight_ih · x_t${biases} + Σ_k weight_hh · h[d,n,t−1,k]`,
    results: [`out[${subscripts('column')}] = h`, 'h_n[d,n,j] = h[d,n,last,j]'],
    upstream: [
      dout ? `dout_t[d,n,t,j] = dout[${subscripts('column')}]` : 'dout_t[d,n,t,j] = 0',
      ...(dh_n ? ['dh_start[d,n,j] = dh_n'] : []),
      ...(dc_n ? ['dc_start[d,n,j] = dc_n'] : []),
    ],
    means: {
      d: 'directions',
      n: 'sequences',
      t: 'time steps',
      s: 'time steps',
      r: 'rows',
      j: 'hidden features',
      k: 'hidden features',
      i: 'input features',
      e: 'features of out',
    },
    slips: [...orderSlips(gates, H), ...timeSlips(sizes, time)],
    handedBack: 'dh_back[d,n,t,k] = Σ_r dz · weight_hh',
    gradients: [
      `dx[${subscripts('i')}] += Σ_r dz · weight_ih`,
      ...weights,
      ...(h0 ? ['dh0[d,n,j] = dh_back[d,n,0,j]'] : []),
    ],
  };
}

/** Gates in another order, as other libraries have them, or with two exchanged. */
function orderSlips(gates: readonly string[], H: number): TableSlip[] {
  const G = gates.length;
  const orders = G === 4 ? [...swaps(G), [0, 2, 3, 1], [0, 3, 1, 2], [1, 0, 3, 2], [1, 0, 2, 3]] : [];
  const right = gates.join(', ');
  return unique(orders).map((blocks) => {
    const order = gates.map((_, block) => gates[blocks.indexOf(block)]).join(', ');
    return {
      ...{ id: 'gate_order', rank: 2, names: gates.map((gate) => `row_${gate}`) },
      given: Object.fromEntries(
        gates.map((gate, i) => [`row_${gate}`, Int32Array.from({ length: H }, (_, j) => blocks[i] * H + j)]),
      ),
      wrong: `The blocks of the rows were taken in the order ${order}`,
      fix: `use the order ${right}`,
    };
  });
}

const unique = (orders: readonly (readonly number[])[]) => [
  ...new Map(orders.map((order) => [order.join(), order])).values(),
];

function swaps(G: number): number[][] {
  const found: number[][] = [];
  for (let a = 0; a < G; a++)
    for (let b = a + 1; b < G; b++) found.push([...Array(G).keys()].map((i) => (i === a ? b : i === b ? a : i)));
  return found;
}

/**
 * Tables that only the formulas of mistakes read. Two subscripts `…_a,…_b` name a sequence and a time step, in the order
 * of the axes of x.
 */
function forMistakes(sizes: RecurrentSizes, gates: number, isTimeMajor: boolean): Source['given'] {
  const { D, N, T, H, of, isReverse } = sizes;
  const [sequence, time] = isTimeMajor ? 'ba' : 'ab';
  return {
    N,
    T,
    // 1 at the last step of a sequence, 0 before.
    'is_last tn': Int32Array.from({ length: N * T }, (_, i) => Number(of[i % N] - 1 === Math.floor(i / N))),
    'is_first_direction d': Int32Array.from({ length: D }, (_, d) => Number(d === 0)),
    'is_second_direction d': Int32Array.from({ length: D }, (_, d) => Number(d === 1)),
    // Steps as they are counted, as if every pass went from the first to the last.
    [`counted_${sequence} dnt`]: overTime(sizes, (_, n) => n),
    [`counted_${time} dnt`]: overTime(sizes, (_, n, t) => (t < of[n] ? t : -1)),
    // The last time step of x.
    [`end_${sequence} n`]: Int32Array.from({ length: N }, (_, n) => n),
    [`end_${time} n`]: new Int32Array(N).fill(T - 1),
    // Whether the place of a step that starts from the last time step is within the sequence.
    'is_within dnt': overTime(sizes, (d, n, t) => Number(!isReverse(d) || T - 1 - t < of[n])),
    // The row of dz that counts as a row of a weight's gradient.
    'gate_row r': Int32Array.from({ length: gates * H }, (_, r) => r),
  };
}

/** How the order of the time steps, and the ends of sequences, go wrong. */
function timeSlips(sizes: RecurrentSizes, time: Int32Array): TableSlip[] {
  const { D, N, T, of, isReverse } = sizes;
  const table = (at: (d: number, n: number, t: number) => number) => overTime(sizes, at);
  const isFull = of.every((length) => length === T);
  const lengths = Array<number>(N).fill(T);
  const inside = (n: number, t: number, place: number) => (t < of[n] && place >= 0 && place < T ? place : -1);
  const ways: readonly (readonly [string, Int32Array, string, string, (readonly number[])?])[] = [
    [
      'time_reversed',
      table((d, n, t) => inside(n, t, isReverse(d) ? t : of[n] - 1 - t)),
      'The time steps were taken in the opposite order',
      'start at the first step, or at the last one for the reverse direction',
    ],
    [
      'time_not_reversed',
      table((_, n, t) => inside(n, t, t)),
      'The reverse direction took the time steps from first to last',
      'start at the last step of each sequence',
    ],
    [
      'reversed_with_padding',
      table((d, n, t) => inside(n, t, isReverse(d) ? T - 1 - t : t)),
      'The reverse direction starts at the last of all T steps, not at the end of each sequence',
      'start at the last step of each sequence',
    ],
    [
      'lengths_ignored',
      table((d, _, t) => (isReverse(d) ? T - 1 - t : t)),
      'The lengths of the sequences were ignored: every sequence has T steps',
      'stop each sequence at its length',
      lengths,
    ],
    [
      'first_step_missing',
      table((_, n, t) => (t === 0 ? -1 : time[(t * D + _) * N + n])),
      'The first time step is left out',
      'begin with the first step',
    ],
  ];
  return ways
    .filter(([id, values]) => (id === 'lengths_ignored' ? !isFull : values.some((value, i) => value !== time[i])))
    .map(([id, values, wrong, fix, other]) => ({
      ...{ id, rank: 3, names: ['time'], given: { time: values }, wrong, fix },
      ...(other && !isFull ? { lengths: other } : {}),
    }));
}
