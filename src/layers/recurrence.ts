/**
 * What rnn and lstm share: the passage through time in either direction, and its way back.
 *
 * N batch, T time steps, I input features, H hidden features, R rows of a weight (H, or 4H for the gates of an lstm),
 * D directions (1 or 2), stacked on the leading axis of weights, biases and states.
 *
 * A direction gathers x into its own order of steps, xs[T, N, I]: step s of sequence n is time s, or, in reverse,
 * length − 1 − s. From there on both directions are one computation, in time-major order so that a step is one block
 * of memory (the kernel `recur`). Steps past a sequence's end are computed with the others and then undone.
 */
import type { Cell, Kernels, Pass, States } from '../kernels/kernels.js';
import { refuse } from '../refusal.js';
import {
  bytesPerElement,
  floatArray,
  floatDtypeOf,
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
  readonly N: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  readonly R: number;
  readonly directions: readonly ('forward' | 'reverse')[];
  readonly timeMajor: boolean;
  /** Of `x`, `out` and the states, as the client sees them. */
  readonly shapes: { readonly x: Shape; readonly out: Shape; readonly state: Shape };
  /** Which optional tensors came, and so get a gradient. */
  readonly given: { readonly bias_ih: boolean; readonly bias_hh: boolean; readonly h0: boolean; readonly c0: boolean };
  readonly cost: { readonly forward: Cost; readonly backward: Cost };
}

/**
 * @param gates blocks of H rows in a weight
 * @throws {Refusal} where shapes or lengths do not fit each other
 */
export function planRecurrence(inputs: RecurrentInputs, options: RecurrentOptions, gates: 1 | 4): RecurrentPlan {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = inputs;
  const { direction, time_major: timeMajor } = options;
  const layout = timeMajor ? '[T, N, I]' : '[N, T, I]';
  if (x.shape.length !== 3)
    throw refuse('shape-mismatch', ['x'], `x has shape ${formatShape(x.shape)}; expected ${layout}`);
  const [N, T] = timeMajor ? [x.shape[1], x.shape[0]] : [x.shape[0], x.shape[1]];
  const I = x.shape[2];
  const bidirectional = direction === 'bidirectional';
  const stacked = (...shape: number[]): Shape => (bidirectional ? [2, ...shape] : shape);
  const rank = bidirectional ? 3 : 2;
  const rows = gates === 1 ? 'H' : `${gates}H`;
  if (weight_hh.shape.length !== rank)
    throw refuse(
      'shape-mismatch',
      ['weight_hh'],
      `weight_hh has shape ${formatShape(weight_hh.shape)}; expected ${bidirectional ? `[2, ${rows}, H]` : `[${rows}, H]`}, because direction is "${direction}"`,
    );
  const H = weight_hh.shape[rank - 1];
  const R = gates * H;
  expectShape('weight_hh', weight_hh, stacked(R, H), `its last axis says H is ${H}, and the other one is ${rows}`);
  expectShape('weight_ih', weight_ih, stacked(R, I), `weight_hh has ${H} hidden features and x has ${I} features`);
  expectShape('bias_ih', bias_ih, stacked(R), `weight_hh has ${H} hidden features`);
  expectShape('bias_hh', bias_hh, stacked(R), `weight_hh has ${H} hidden features`);
  const ofStates = `x has a batch of ${N} and weight_hh has ${H} hidden features`;
  expectShape('h0', h0, stacked(N, H), ofStates);
  expectShape('c0', c0, stacked(N, H), ofStates);
  expectShape('sequence_lengths', sequence_lengths, [N], `x has a batch of ${N}`);
  sequence_lengths?.data.forEach((length, n) => {
    if (length < 1 || length > T)
      throw refuse(
        'value-mismatch',
        ['sequence_lengths', n],
        `sequence_lengths[${n}] is ${length}; expected 1 to ${T}, because x has ${T} time steps`,
      );
  });
  const D = bidirectional ? 2 : 1;
  const element = bytesPerElement(x.dtype);
  const weights = R * (I + H);
  const operations = D * N * T * 2 * (weights + 10 * R);
  return {
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

/** What the catalogue says of both layers. */
export const recurrentConventions = [
  'bias_ih and bias_hh are two tensors, added; each has its own gradient, and the two are equal.',
  'Bidirectional: weights, biases and states have a leading axis of 2 (forward, reverse); out has forward features first.',
  'A reverse pass starts at the end of each sequence, and out stands in the order of time, not of the pass.',
  'Steps past the end of a sequence give zeros in out and dx and do not move its state: h_n is that of its own last step.',
  'Backward takes any of the upstream gradients; one that is absent counts as zero.',
] as const;

/** Tensors that a session keeps: every direction's `Pass` and inputs, stacked. */
export type RecurrentCache = {
  readonly xs: FloatTensor;
  readonly gates: FloatTensor;
  readonly h: FloatTensor;
  readonly c?: FloatTensor;
  readonly weight_ih: FloatTensor;
  readonly weight_hh: FloatTensor;
  readonly sequence_lengths?: IntegerTensor;
};

/** Block `index` of an array made of `count` equal ones. */
function block(data: FloatArray, index: number, size: number): FloatArray {
  return data.subarray(index * size, (index + 1) * size);
}

/**
 * Calls `visit` for each step of each sequence that lies before its end, with where that step's features start in
 * x or out (`time`, in rows) and in the order of steps (`step`, in rows).
 */
function eachStep(
  { N, T, timeMajor }: RecurrentPlan,
  direction: 'forward' | 'reverse',
  lengths: Int32Array | undefined,
  visit: (time: number, step: number) => void,
): void {
  for (let n = 0; n < N; n++) {
    const length = lengths ? lengths[n] : T;
    for (let s = 0; s < length; s++) {
      const t = direction === 'forward' ? s : length - 1 - s;
      visit(timeMajor ? t * N + n : n * T + t, s * N + n);
    }
  }
}

/** @param keep whether there may be a way back; without it there are no gates */
function passThrough(inputs: RecurrentInputs, plan: RecurrentPlan, cell: Cell, kernels: Kernels, keep: boolean) {
  const { N, T, I, H, R, directions, shapes } = plan;
  const D = directions.length;
  const dtype = floatDtypeOf(inputs.x.data);
  const lengths = inputs.sequence_lengths?.data;
  const hasCellState = cell === 'gated';
  const states = hasCellState ? D * (T + 1) * N * H : 0;
  const kept = {
    xs: floatArray(dtype, D * T * N * I),
    gates: floatArray(dtype, keep ? D * T * N * R : 0),
    h: floatArray(dtype, D * (T + 1) * N * H),
    c: floatArray(dtype, states),
  };
  const out = floatArray(dtype, N * T * D * H);
  const h_n = floatArray(dtype, D * N * H);
  const c_n = floatArray(dtype, hasCellState ? D * N * H : 0);

  directions.forEach((direction, d) => {
    const xs = block(kept.xs, d, T * N * I);
    eachStep(plan, direction, lengths, (time, step) => {
      xs.set(inputs.x.data.subarray(time * I, (time + 1) * I), step * I);
    });
    const pass: States = {
      ...(keep ? { gates: block(kept.gates, d, T * N * R) } : {}),
      h: block(kept.h, d, (T + 1) * N * H),
      c: hasCellState ? block(kept.c, d, (T + 1) * N * H) : kept.c,
    };
    if (inputs.h0) pass.h.set(block(inputs.h0.data, d, N * H));
    if (inputs.c0) pass.c.set(block(inputs.c0.data, d, N * H));
    const parameters = {
      weightIh: block(inputs.weight_ih.data, d, R * I),
      weightHh: block(inputs.weight_hh.data, d, R * H),
      biasIh: inputs.bias_ih && block(inputs.bias_ih.data, d, R),
      biasHh: inputs.bias_hh && block(inputs.bias_hh.data, d, R),
    };
    kernels.recur(cell, { xs, ...parameters, lengths }, pass, { T, N, I, H });
    eachStep(plan, direction, lengths, (time, step) => {
      // The state after step s is block s + 1, which is N rows further on.
      out.set(pass.h.subarray((step + N) * H, (step + N + 1) * H), (time * D + d) * H);
    });
    h_n.set(block(pass.h, T, N * H), d * N * H);
    if (hasCellState) c_n.set(block(pass.c, T, N * H), d * N * H);
  });

  const outputs = { out: tensor(shapes.out, out), h_n: tensor(shapes.state, h_n) };
  return { outputs, c_n: tensor(shapes.state, c_n), kept };
}

export function forwardRecurrence(inputs: RecurrentInputs, plan: RecurrentPlan, cell: Cell, kernels: Kernels) {
  const { N, T, I, H, R, directions } = plan;
  const D = directions.length;
  const { outputs, c_n, kept } = passThrough(inputs, plan, cell, kernels, true);
  return {
    outputs,
    c_n,
    cache: {
      xs: tensor([D, T, N, I], kept.xs),
      gates: tensor([D, T, N, R], kept.gates),
      h: tensor([D, T + 1, N, H], kept.h),
      ...(cell === 'gated' ? { c: tensor([D, T + 1, N, H], kept.c) } : {}),
      weight_ih: inputs.weight_ih,
      weight_hh: inputs.weight_hh,
      ...(inputs.sequence_lengths ? { sequence_lengths: inputs.sequence_lengths } : {}),
    } satisfies RecurrentCache,
  };
}

/** The outputs alone: the gates, four times as large as `out` in an lstm, need not leave the kernel. */
export function inferRecurrence(inputs: RecurrentInputs, plan: RecurrentPlan, cell: Cell, kernels: Kernels) {
  const { outputs, c_n } = passThrough(inputs, plan, cell, kernels, false);
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
  cell: Cell,
  kernels: Kernels,
) {
  const { N, T, I, H, R, directions, shapes, given } = plan;
  const D = directions.length;
  const dtype = floatDtypeOf(cache.h.data);
  const lengths = cache.sequence_lengths?.data;
  const states = () => tensor(shapes.state, floatArray(dtype, D * N * H));
  const gradients = {
    dx: tensor(shapes.x, floatArray(dtype, N * T * I)),
    dh0: states(),
    dc0: states(),
    dweight_ih: tensor(cache.weight_ih.shape, floatArray(dtype, D * R * I)),
    dweight_hh: tensor(cache.weight_hh.shape, floatArray(dtype, D * R * H)),
    dbias: tensor(D === 2 ? [D, R] : [R], floatArray(dtype, D * R)),
  };
  const dxs = floatArray(dtype, T * N * I);
  const douts = floatArray(dtype, upstream.dout ? T * N * H : 0);

  directions.forEach((direction, d) => {
    const pass: Pass = {
      gates: block(cache.gates.data, d, T * N * R),
      h: block(cache.h.data, d, (T + 1) * N * H),
      c: cache.c ? block(cache.c.data, d, (T + 1) * N * H) : floatArray(dtype, 0),
    };
    const { dout } = upstream;
    if (dout) {
      douts.fill(0);
      eachStep(plan, direction, lengths, (time, step) => {
        douts.set(dout.data.subarray((time * D + d) * H, (time * D + d + 1) * H), step * H);
      });
    }
    const inputs = {
      xs: block(cache.xs.data, d, T * N * I),
      weightIh: block(cache.weight_ih.data, d, R * I),
      weightHh: block(cache.weight_hh.data, d, R * H),
      lengths,
    };
    const ofDirection = {
      // These begin as the gradients of the last states and end as those of the first.
      dh: block(gradients.dh0.data, d, N * H),
      dc: block(gradients.dc0.data, d, N * H),
      dxs,
      dweightIh: block(gradients.dweight_ih.data, d, R * I),
      dweightHh: block(gradients.dweight_hh.data, d, R * H),
      dbias: block(gradients.dbias.data, d, R),
    };
    if (upstream.dh_n) ofDirection.dh.set(block(upstream.dh_n.data, d, N * H));
    if (upstream.dc_n) ofDirection.dc.set(block(upstream.dc_n.data, d, N * H));
    kernels.recurBackward(cell, inputs, pass, dout && douts, ofDirection, { T, N, I, H });
    eachStep(plan, direction, lengths, (time, step) => {
      for (let i = 0; i < I; i++) gradients.dx.data[time * I + i] += dxs[step * I + i];
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
