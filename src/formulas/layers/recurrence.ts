/** What the formulas of recurrent layers share. */
import type { Instance } from '../../layers/instance.js';
import type { TableSlip } from '../program.js';
import { tensorsOf, type Source } from '../program.js';

/** Time has two axes: s indexes the elements of x, t counts the steps in the order of the pass. */
export function recurrenceOf(instance: Instance, gates: readonly string[]) {
  const { x, weight_ih, weight_hh } = instance.inputs;
  const { bias_ih, bias_hh, h0, c0, sequence_lengths, dout, dh_n, dc_n } = tensorsOf(instance);
  const { direction, time_major } = instance.options as { direction: string; time_major: boolean };
  const D = direction === 'bidirectional' ? 2 : 1;
  const H = weight_hh.shape[weight_hh.shape.length - 1];
  const I = weight_ih.shape[weight_ih.shape.length - 1];
  const [N, T] = time_major ? [x.shape[1], x.shape[0]] : x.shape;
  const G = gates.length;
  const of = sequence_lengths ? Array.from(sequence_lengths.data) : Array<number>(N).fill(T);
  const time = new Int32Array(D * N * T).fill(-1);
  for (let t = 0; t < T; t++)
    for (let d = 0; d < D; d++)
      for (let n = 0; n < N; n++) {
        const isReverse = direction === 'reverse' || d === 1;
        if (t < of[n]) time[(t * D + d) * N + n] = isReverse ? of[n] - 1 - t : t;
      }
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
    'dh_last dnj': dh_n?.data,
    'dc_last dnj': dc_n?.data,
    ...rows,
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
    forward: [`x_t[d,n,t,i] = x[${subscripts('i')}]`],
    preactivation: `z[d,n,t,r] = Σ_i weight_ih · x_t${biases} + Σ_k weight_hh · h[d,n,t−1,k]`,
    results: [`out[${subscripts('column')}] = h`, 'h_n[d,n,j] = h[d,n,last,j]'],
    upstream: [dout ? `dout_t[d,n,t,j] = dout[${subscripts('column')}]` : 'dout_t[d,n,t,j] = 0'],
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
    slips: [
      ...orderSlips(gates, H),
      ...timeSlips({ D, N, T, of, time, isReverse: (d) => direction === 'reverse' || d === 1 }),
    ],
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

interface Times {
  readonly D: number;
  readonly N: number;
  readonly T: number;
  readonly of: readonly number[];
  readonly time: Int32Array;
  readonly isReverse: (d: number) => boolean;
}

/** How the order of the time steps, and the ends of sequences, go wrong. */
function timeSlips({ D, N, T, of, time, isReverse }: Times): TableSlip[] {
  const table = (at: (d: number, n: number, t: number) => number) =>
    Int32Array.from({ length: T * D * N }, (_, i) => at(Math.floor(i / N) % D, i % N, Math.floor(i / N / D)));
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
