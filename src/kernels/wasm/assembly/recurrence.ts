/**
 * All steps of one direction of an rnn or lstm: the weight that every step meets is packed once.
 *
 * T steps, N sequences, I features in, H hidden, R rows of a weight (H, or 4H for the gates of an lstm); everything in
 * the order of steps. `h` and `c` are [T + 1, N, H]: the state before each step, and after the last.
 */
import { mark, release, take } from './arena';
import { activate, activateBackward, GATED, lstmCell, lstmCellBackward } from './cells';
import { sums } from './channels';
import { assign, matmul, multiply, packA, packB, packedABytes, packedBBytes } from './matmul';

/** Rows of the sequences that have ended before step s: from one state to the next. */
function carryEnded<T>(lengths: usize, s: i32, N: i32, H: i32, from: usize, to: usize): void {
  if (!lengths) return;
  const bytes = <usize>H * sizeof<T>();
  for (let n = 0; n < N; n++) if (s >= load<i32>(lengths + n * 4)) memory.copy(to + n * bytes, from + n * bytes, bytes);
}

/** Bytes of pre-activations that stay in the second-level cache beside the weights that go through it. */
const AHEAD: usize = 1 << 18;

/** `xs[T, N, I]`, `bias[R]`; fills all states but the first and, where it is not 0, `gates[T, N, R]`. */
export function recur<T>(
  kind: i32,
  xs: usize,
  weightIh: usize,
  weightHh: usize,
  bias: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  steps: i32,
  N: i32,
  I: i32,
  H: i32,
): void {
  const R = kind == GATED ? 4 * H : H;
  const state = <usize>N * H * sizeof<T>();
  const gate = <usize>N * R * sizeof<T>();
  const base = mark();
  const stepsAhead = min(steps, max(1, <i32>(AHEAD / gate)));
  const panelsIh = take(packedBBytes<T>(R, I));
  const panels = take(packedBBytes<T>(R, H));
  const stripsIh = take(packedABytes<T>(stepsAhead * N, I));
  const strips = take(packedABytes<T>(N, H));
  const passing = gates ? 0 : take(stepsAhead * gate);
  packB<T>(panelsIh, weightIh, R, I, I, 1);
  packB<T>(panels, weightHh, R, H, H, 1);
  for (let s = 0; s < steps; s++) {
    if (s % stepsAhead == 0) {
      const rows = min(stepsAhead, steps - s) * N;
      if (passing) gates = passing;
      packA<T>(stripsIh, xs + <usize>s * N * I * sizeof<T>(), rows, I, I, 1);
      assign<T>(stripsIh, panelsIh, gates, rows, R, I, R, bias);
    }
    packA<T>(strips, h, N, H, H, 1);
    multiply<T>(strips, panels, gates, N, R, H, R);
    if (kind == GATED) {
      lstmCell<T>(gates, c, c + state, h + state, N, H);
      carryEnded<T>(lengths, s, N, H, c, c + state);
      c += state;
    } else {
      activate<T>(gates, N * H, kind);
      memory.copy(h + state, gates, state);
    }
    carryEnded<T>(lengths, s, N, H, h, h + state);
    h += state;
    gates += gate;
  }
  release(base);
}

/**
 * `dh` and `dc` turn from the gradients of the last states to those of the first; `douts[T, N, H]` are those of every
 * step's h, where there are any. Fills `dgates[T, N, R]`.
 */
export function recurBackward<T>(
  kind: i32,
  weightHh: usize,
  lengths: usize,
  gates: usize,
  h: usize,
  c: usize,
  douts: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
  steps: i32,
  N: i32,
  H: i32,
): void {
  const R = kind == GATED ? 4 * H : H;
  const state = <usize>N * H * sizeof<T>();
  const gate = <usize>N * R * sizeof<T>();
  const base = mark();
  const panels = take(packedBBytes<T>(H, R));
  const strips = take(packedABytes<T>(N, R));
  const dcAfter = take(state);
  const dhAfter = take(state);
  packB<T>(panels, weightHh, H, R, 1, H);
  for (let s = steps - 1; s >= 0; s--) {
    const gatesOfStep = gates + s * gate;
    const dgatesOfStep = dgates + s * gate;
    if (douts) {
      const given = douts + s * state;
      for (let i: usize = 0; i < state; i += sizeof<T>()) store<T>(dh + i, load<T>(dh + i) + load<T>(given + i));
    }
    memory.copy(dhAfter, dh, state);
    if (kind == GATED) {
      memory.copy(dcAfter, dc, state);
      lstmCellBackward<T>(gatesOfStep, c + s * state, c + (s + 1) * state, dh, dc, dgatesOfStep, N, H);
    } else activateBackward<T>(gatesOfStep, dh, dgatesOfStep, N * H, kind);
    if (lengths)
      for (let n = 0; n < N; n++)
        if (s >= load<i32>(lengths + n * 4)) {
          const bytes = <usize>R * sizeof<T>();
          memory.fill(dgatesOfStep + n * bytes, 0, bytes);
        }
    packA<T>(strips, dgatesOfStep, N, R, R, 1);
    assign<T>(strips, panels, dh, N, H, R, H, 0);
    carryEnded<T>(lengths, s, N, H, dhAfter, dh);
    if (kind == GATED) carryEnded<T>(lengths, s, N, H, dcAfter, dc);
  }
  release(base);
}

/** From all `dgates`: `dxs[T, N, I]`, `dweightIh[R, I]`, `dweightHh[R, H]`, and `dbias[R]` in float64. */
export function recurGradients<T>(
  xs: usize,
  h: usize,
  weightIh: usize,
  dgates: usize,
  dxs: usize,
  dweightIh: usize,
  dweightHh: usize,
  dbias: usize,
  rows: i32,
  I: i32,
  H: i32,
  R: i32,
): void {
  matmul<T>(dgates, xs, dweightIh, 0, R, I, rows, true, false, false);
  matmul<T>(dgates, h, dweightHh, 0, R, H, rows, true, false, false);
  matmul<T>(dgates, weightIh, dxs, 0, rows, I, R, false, false, false);
  memory.fill(dbias, 0, R * 8);
  sums<T>(dgates, rows * R, 1, R, 0, dbias);
}
