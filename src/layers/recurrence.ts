/**
 * Shared by the recurrent layers: the pass through time in either direction, and its backward pass.
 *
 * N batch, T time steps, I input features, H hidden features, R rows of a weight (H for each gate of the cell),
 * D directions (1 or 2), stacked on the leading axis of weights, biases and states.
 *
 * Each direction gathers x in the order of its steps, xs[S, I]: step s of sequence n is time s or, in reverse,
 * length − 1 − s. From there, both directions are the same computation (the kernel `recur`). A step is one block of
 * rows, longest sequences first, without the sequences that have ended. S is the sum of the lengths, and nothing past
 * the end of a sequence is computed.
 *
 * Order of the sums: z = ((b_ih + b_hh) + W_ih x) + W_hh h, each product as in linear; the sums of dweight and dbias
 * run over the S rows, step after step. The values of a sequence do not depend on the other sequences of its batch.
 */
import { cells, type Cell, type Kernels, type Pass, type States } from '../kernels/kernels.js';
import { count, refuse } from '../refusal.js';
import {
  floatArray,
  dtypeOf,
  formatShape,
  tensor,
  type FloatArray,
  type FloatTensor,
  type IntegerTensor,
  type Shape,
} from '../tensor/tensor.js';
import { expectShape, type Cost } from './definition.js';

export interface RecurrentInputs {
  readonly x: FloatTensor;
  readonly weight_ih: FloatTensor;
  readonly weight_hh: FloatTensor;
  readonly bias_ih?: FloatTensor;
  readonly bias_hh?: FloatTensor;
  readonly sequence_lengths?: IntegerTensor;
  readonly h0?: FloatTensor;
  readonly c0?: FloatTensor;
}

export interface RecurrentOptions {
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly time_major: boolean;
}

export interface RecurrentPlan {
  readonly cell: Cell;
  readonly N: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  readonly R: number;
  readonly directions: readonly ('forward' | 'reverse')[];
  readonly timeMajor: boolean;
  /** Shapes of `x`, `out` and the states in requests and responses. */
  readonly shapes: { readonly x: Shape; readonly out: Shape; readonly state: Shape };
  /** Which optional tensors were given, and so have a gradient. */
  readonly given: { readonly bias_ih: boolean; readonly bias_hh: boolean; readonly h0: boolean; readonly c0: boolean };
  readonly cost: { readonly forward: Cost; readonly backward: Cost };
}

/** @throws {Refusal} if shapes or lengths are inconsistent */
export function planRecurrence(inputs: RecurrentInputs, options: RecurrentOptions, cell: Cell): RecurrentPlan {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = inputs;
  const { direction, time_major: timeMajor } = options;
  const layout = timeMajor ? '[T, N, I]' : '[N, T, I]';
  if (x.shape.length !== 3)
    throw refuse('shape-mismatch', ['x'], `x has shape ${formatShape(x.shape)}; expected ${layout}`);
  const [N, T] = timeMajor ? [x.shape[1], x.shape[0]] : [x.shape[0], x.shape[1]];
  const I = x.shape[2];
  const bidirectional = direction === 'bidirectional';
  const stacked = (...shape: number[]): Shape => (bidirectional ? [2, ...shape] : shape);
  const gates = cells[cell].gates.length;
  const rows = gates === 1 ? 'H' : `${gates}H`;
  // Checked in the order of the request, so that the first wrong tensor is named. Symbols are sizes not known yet.
  const expectAxes = (name: string, { shape }: FloatTensor, last: number | 'H', because: string) => {
    const expected = [...(bidirectional ? [2] : []), rows, last];
    if (shape.length === expected.length && expected.every((size, i) => typeof size === 'string' || size === shape[i]))
      return;
    throw refuse(
      'shape-mismatch',
      [name],
      `${name} has shape ${formatShape(shape)}; expected [${expected.join(', ')}], because ${because}`,
    );
  };
  const ofDirection = `direction is "${direction}"`;
  expectAxes('weight_ih', weight_ih, I, `${ofDirection} and x has ${count(I, 'feature')}`);
  expectAxes('weight_hh', weight_hh, 'H', ofDirection);
  const H = weight_hh.shape[weight_hh.shape.length - 1];
  const R = gates * H;
  expectShape('weight_hh', weight_hh, stacked(R, H), `its last axis is H = ${H}, and the other one is ${rows}`);
  expectShape(
    'weight_ih',
    weight_ih,
    stacked(R, I),
    `weight_hh has ${count(H, 'hidden feature')} and x has ${count(I, 'feature')}`,
  );
  expectShape('bias_ih', bias_ih, stacked(R), `weight_hh has ${count(H, 'hidden feature')}`);
  expectShape('bias_hh', bias_hh, stacked(R), `weight_hh has ${count(H, 'hidden feature')}`);
  expectShape('sequence_lengths', sequence_lengths, [N], `x has a batch of ${N}`);
  sequence_lengths?.data.forEach((length, n) => {
    if (length < 0 || length > T)
      throw refuse(
        'value-mismatch',
        ['sequence_lengths', n],
        `sequence_lengths[${n}] is ${length}; expected 0 to ${T}, because x has ${count(T, 'time step')}`,
      );
  });
  const ofStates = `x has a batch of ${N} and weight_hh has ${count(H, 'hidden feature')}`;
  expectShape('h0', h0, stacked(N, H), ofStates);
  expectShape('c0', c0, stacked(N, H), ofStates);
  const D = bidirectional ? 2 : 1;
  const element = x.data.BYTES_PER_ELEMENT;
  const weights = R * (I + H);
  const operations = D * N * T * 2 * (weights + 10 * R);
  return {
    cell,
    N,
    T,
    I,
    H,
    R,
    directions: bidirectional ? ['forward', 'reverse'] : [direction],
    timeMajor,
    shapes: { x: x.shape, out: timeMajor ? [T, N, D * H] : [N, T, D * H], state: stacked(N, H) },
    given: {
      bias_ih: bias_ih !== undefined,
      bias_hh: bias_hh !== undefined,
      h0: h0 !== undefined,
      c0: c0 !== undefined,
    },
    cost: {
      forward: { operations, bytes: D * N * (T * (I + R + 3 * H) + 4 * H) * element },
      backward: { operations: 2 * operations, bytes: D * (N * (T * (2 * I + R) + 4 * H) + 2 * weights) * element },
    },
  };
}

/** Conventions of every recurrent layer, for the catalogue. */
export const recurrentConventions = [
  'bias_ih and bias_hh are separate tensors that are added; each has a gradient, and the two gradients are equal.',
  'Bidirectional: weights, biases and states have a leading axis of 2 (forward, reverse); out has forward features first.',
  'A reverse pass starts at the end of each sequence, and out is in time order, not in the order of the pass.',
  'Steps past the end of a sequence are not computed: out and dx are 0 there, and h_n is the state after its last step.',
  'A sequence of length 0 has no steps: its last state is its initial state, and the gradients of the two are equal.',
  'Backward accepts any of the upstream gradients; those that are absent count as zero.',
] as const;

/** The tensors that a session keeps: every direction's `Pass` and inputs, stacked. */
export type RecurrentCache = {
  readonly xs: FloatTensor;
  readonly gates: FloatTensor;
  readonly h: FloatTensor;
  readonly c?: FloatTensor;
  readonly weight_ih: FloatTensor;
  readonly weight_hh: FloatTensor;
  readonly sequence_lengths?: IntegerTensor;
};

/** Block `index` of an array that consists of blocks of `size` elements. */
function block(data: FloatArray, index: number, size: number): FloatArray {
  return data.subarray(index * size, (index + 1) * size);
}

/** The layout of a direction's steps: the rows of each step, and the position of each sequence in them. */
interface Steps {
  /** `[N]`: the position of each sequence in the order from longest to shortest. */
  readonly places: Int32Array;
  /** Number of sequences in each step; undefined if no lengths were given, and every sequence has all steps. */
  readonly counts: Int32Array | undefined;
  readonly T: number;
  /** Number of rows of all steps. */
  readonly S: number;
  /** The row of sequence n after `steps` steps in an array of states, which starts with the initial states. */
  readonly stateRow: (n: number, steps: number) => number;
  readonly length: (n: number) => number;
}

function stepsOf({ N, T }: RecurrentPlan, lengths: Int32Array | undefined): Steps {
  const length = (n: number) => lengths?.[n] ?? T;
  const places = new Int32Array(N);
  Array.from(places.keys())
    .sort((a, b) => length(b) - length(a))
    .forEach((n, place) => (places[n] = place));
  const counts = new Int32Array(lengths ? Math.max(...lengths) : T);
  for (let n = 0; n < N; n++) for (let s = 0; s < length(n); s++) counts[s]++;
  const starts = [0];
  for (const count of counts) starts.push(starts[starts.length - 1] + count);
  return {
    places,
    counts: lengths && counts,
    T: counts.length,
    S: starts[counts.length],
    stateRow: (n, steps) => (steps ? N + starts[steps - 1] : 0) + places[n],
    length,
  };
}

/**
 * Calls `visit` for each step of each sequence, with its row in x and out (`time`) and its row in the order of steps
 * (`row`).
 */
function eachStep(
  { N, T, timeMajor }: RecurrentPlan,
  direction: 'forward' | 'reverse',
  steps: Steps,
  visit: (time: number, row: number) => void,
): void {
  for (let n = 0; n < N; n++) {
    const length = steps.length(n);
    for (let s = 0; s < length; s++) {
      const t = direction === 'forward' ? s : length - 1 - s;
      visit(timeMajor ? t * N + n : n * T + t, steps.stateRow(n, s + 1) - N);
    }
  }
}

/** Copies `[N, H]` from sequence order to the rows of `to` that `rowOf` returns or, if `back`, from there. */
function exchangeRows(
  given: FloatArray,
  to: FloatArray,
  { N, H }: RecurrentPlan,
  rowOf: (n: number) => number,
  back = false,
): void {
  for (let n = 0; n < N; n++) {
    const [own, row] = [block(given, n, H), block(to, rowOf(n), H)];
    if (back) own.set(row);
    else row.set(own);
  }
}

/** @param keep whether backward may follow; the gates are kept only for it */
function passThrough(inputs: RecurrentInputs, plan: RecurrentPlan, kernels: Kernels, keep: boolean) {
  const { cell, N, T, I, H, R, directions, shapes } = plan;
  const D = directions.length;
  const dtype = dtypeOf(inputs.x.data);
  const { hasCellState } = cells[cell];
  const steps = stepsOf(plan, inputs.sequence_lengths?.data);
  const { S } = steps;
  const kept = {
    xs: floatArray(dtype, D * S * I),
    gates: floatArray(dtype, keep ? D * S * R : 0),
    h: floatArray(dtype, D * (N + S) * H),
    c: floatArray(dtype, hasCellState ? D * (N + S) * H : 0),
  };
  const out = floatArray(dtype, N * T * D * H);
  const h_n = floatArray(dtype, D * N * H);
  const c_n = floatArray(dtype, hasCellState ? D * N * H : 0);
  const firstRow = (n: number) => steps.stateRow(n, 0);
  const lastRow = (n: number) => steps.stateRow(n, steps.length(n));

  directions.forEach((direction, d) => {
    const xs = block(kept.xs, d, S * I);
    eachStep(plan, direction, steps, (time, row) => {
      xs.set(block(inputs.x.data, time, I), row * I);
    });
    const pass: States = {
      ...(keep ? { gates: block(kept.gates, d, S * R) } : {}),
      h: block(kept.h, d, (N + S) * H),
      c: hasCellState ? block(kept.c, d, (N + S) * H) : kept.c,
    };
    if (inputs.h0) exchangeRows(block(inputs.h0.data, d, N * H), pass.h, plan, firstRow);
    if (inputs.c0) exchangeRows(block(inputs.c0.data, d, N * H), pass.c, plan, firstRow);
    const parameters = {
      weightIh: block(inputs.weight_ih.data, d, R * I),
      weightHh: block(inputs.weight_hh.data, d, R * H),
      biasIh: inputs.bias_ih && block(inputs.bias_ih.data, d, R),
      biasHh: inputs.bias_hh && block(inputs.bias_hh.data, d, R),
    };
    if (S > 0) kernels.recur(cell, { xs, ...parameters, counts: steps.counts }, pass, { T: steps.T, N, I, H });
    eachStep(plan, direction, steps, (time, row) => {
      out.set(block(pass.h, N + row, H), (time * D + d) * H);
    });
    exchangeRows(block(h_n, d, N * H), pass.h, plan, lastRow, true);
    if (hasCellState) exchangeRows(block(c_n, d, N * H), pass.c, plan, lastRow, true);
  });

  const outputs = { out: tensor(shapes.out, out), h_n: tensor(shapes.state, h_n) };
  return { outputs, c_n: tensor(shapes.state, c_n), kept, S };
}

export function forwardRecurrence(inputs: RecurrentInputs, plan: RecurrentPlan, kernels: Kernels) {
  const { cell, N, I, H, R, directions } = plan;
  const D = directions.length;
  const { outputs, c_n, kept, S } = passThrough(inputs, plan, kernels, true);
  return {
    outputs,
    c_n,
    cache: {
      xs: tensor([D, S, I], kept.xs),
      gates: tensor([D, S, R], kept.gates),
      h: tensor([D, N + S, H], kept.h),
      ...(cells[cell].hasCellState ? { c: tensor([D, N + S, H], kept.c) } : {}),
      weight_ih: inputs.weight_ih,
      weight_hh: inputs.weight_hh,
      ...(inputs.sequence_lengths ? { sequence_lengths: inputs.sequence_lengths } : {}),
    } satisfies RecurrentCache,
  };
}

/** Returns only the outputs: the gates, which are four times as large as `out` in lstm, need not leave the kernel. */
export function inferRecurrence(inputs: RecurrentInputs, plan: RecurrentPlan, kernels: Kernels) {
  const { outputs, c_n } = passThrough(inputs, plan, kernels, false);
  return { outputs, c_n };
}

export interface RecurrentUpstream {
  readonly dout?: FloatTensor;
  readonly dh_n?: FloatTensor;
  readonly dc_n?: FloatTensor;
}

export function backwardRecurrence(
  cache: RecurrentCache,
  plan: RecurrentPlan,
  upstream: RecurrentUpstream,
  kernels: Kernels,
) {
  const { cell, N, T, I, H, R, directions, shapes, given } = plan;
  const D = directions.length;
  const dtype = dtypeOf(cache.h.data);
  const steps = stepsOf(plan, cache.sequence_lengths?.data);
  const { S } = steps;
  const states = () => tensor(shapes.state, floatArray(dtype, D * N * H));
  const gradients = {
    dx: tensor(shapes.x, floatArray(dtype, N * T * I)),
    dh0: states(),
    dc0: states(),
    dweight_ih: tensor(cache.weight_ih.shape, floatArray(dtype, D * R * I)),
    dweight_hh: tensor(cache.weight_hh.shape, floatArray(dtype, D * R * H)),
    dbias: tensor(D === 2 ? [D, R] : [R], floatArray(dtype, D * R)),
  };
  const dxs = floatArray(dtype, S * I);
  const douts = floatArray(dtype, upstream.dout ? S * H : 0);
  const placeOf = (n: number) => steps.places[n];

  directions.forEach((direction, d) => {
    const pass: Pass = {
      gates: block(cache.gates.data, d, S * R),
      h: block(cache.h.data, d, (N + S) * H),
      c: cache.c ? block(cache.c.data, d, (N + S) * H) : floatArray(dtype, 0),
    };
    const { dout } = upstream;
    if (dout)
      eachStep(plan, direction, steps, (time, row) => {
        douts.set(block(dout.data, time * D + d, H), row * H);
      });
    const inputs = {
      xs: block(cache.xs.data, d, S * I),
      weightIh: block(cache.weight_ih.data, d, R * I),
      weightHh: block(cache.weight_hh.data, d, R * H),
      counts: steps.counts,
    };
    const ofDirection = {
      // Updated in place, from the gradients of the last states to those of the initial states.
      dh: floatArray(dtype, N * H),
      dc: floatArray(dtype, N * H),
      dxs,
      dweightIh: block(gradients.dweight_ih.data, d, R * I),
      dweightHh: block(gradients.dweight_hh.data, d, R * H),
      dbias: block(gradients.dbias.data, d, R),
    };
    if (upstream.dh_n) exchangeRows(block(upstream.dh_n.data, d, N * H), ofDirection.dh, plan, placeOf);
    if (upstream.dc_n) exchangeRows(block(upstream.dc_n.data, d, N * H), ofDirection.dc, plan, placeOf);
    if (S > 0) kernels.recurBackward(cell, inputs, pass, dout && douts, ofDirection, { T: steps.T, N, I, H });
    exchangeRows(block(gradients.dh0.data, d, N * H), ofDirection.dh, plan, placeOf, true);
    exchangeRows(block(gradients.dc0.data, d, N * H), ofDirection.dc, plan, placeOf, true);
    eachStep(plan, direction, steps, (time, row) => {
      for (let i = 0; i < I; i++) gradients.dx.data[time * I + i] += dxs[row * I + i];
    });
  });

  const { dx, dh0, dc0, dweight_ih, dweight_hh, dbias } = gradients;
  return {
    dx,
    dh0: given.h0 ? dh0 : undefined,
    dc0: given.c0 ? dc0 : undefined,
    dweight_ih,
    dweight_hh,
    dbias_ih: given.bias_ih ? dbias : undefined,
    dbias_hh: given.bias_hh ? dbias : undefined,
  };
}
