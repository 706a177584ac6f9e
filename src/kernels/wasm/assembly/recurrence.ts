/**
 * All steps of one direction of an rnn or lstm: the weights that every step uses are packed once.
 *
 * N sequences, I input features, H hidden features, R rows of a weight (H for each gate of the cell); all tensors are
 * in the order of steps. A step has one row for each sequence that has not ended. `counts[T]` holds the number of rows
 * of each step; without it (address 0), every step has N. S is the number of rows of all steps. `h` and `c` are
 * [N + S, H]: the initial states, then those after each step.
 */
import { mark, release, take } from './arena';
import { backwardCell, forwardCell } from './cells';
import { sums } from './channels';
import { assign, matmul, multiply, packA, packB, packedABytes, packedBBytes } from './matmul';

/** The operands of a call, as the bridge writes them: sizes, and addresses, which are 0 for absent operands. */
@unmanaged
class Operands {
  kind: i32;
  steps: i32;
  N: i32;
  I: i32;
  H: i32;
  R: i32;
  counts: usize;
  xs: usize;
  weightIh: usize;
  weightHh: usize;
  bias: usize;
  gates: usize;
  h: usize;
  c: usize;
  douts: usize;
  dh: usize;
  dc: usize;
  dgates: usize;
  dxs: usize;
  dweightIh: usize;
  dweightHh: usize;
  dbias: usize;
}

function countAt(counts: usize, s: i32, N: i32): i32 {
  return counts ? load<i32>(counts + s * 4) : N;
}

/** Rows of steps [from, to). */
function rowsOf(counts: usize, from: i32, to: i32, N: i32): i32 {
  let rows = 0;
  for (let s = from; s < to; s++) rows += countAt(counts, s, N);
  return rows;
}

/** Bytes of pre-activations that stay in the second-level cache while the weights pass through it. */
const AHEAD: usize = 1 << 18;

/**
 * From `xs[S, I]` and `bias[R]`, fills all states except the initial ones and, unless it is 0, `gates[S, R]`.
 * @bridge
 */
export function recur<T>(at: usize): void {
  const operands = changetype<Operands>(at);
  const counts = operands.counts;
  const steps = operands.steps;
  const N = operands.N;
  const I = operands.I;
  const H = operands.H;
  const R = operands.R;
  let xs = operands.xs;
  let gates = operands.gates;
  let h = operands.h;
  let c = operands.c;
  const state = <usize>H * sizeof<T>();
  const gate = <usize>R * sizeof<T>();
  const base = mark();
  const stepsAhead = min(steps, max(1, <i32>(AHEAD / (<usize>N * gate))));
  const panelsIh = take(packedBBytes<T>(R, I));
  const panels = take(packedBBytes<T>(R, H));
  const stripsIh = take(packedABytes<T>(stepsAhead * N, I));
  const strips = take(packedABytes<T>(N, H));
  const passing = gates ? 0 : take(<usize>stepsAhead * N * gate);
  packB<T>(panelsIh, operands.weightIh, R, I, I, 1);
  packB<T>(panels, operands.weightHh, R, H, H, 1);
  let hAfter = h + <usize>N * state;
  let cAfter = c + <usize>N * state;
  for (let s = 0; s < steps; s++) {
    if (s % stepsAhead == 0) {
      const rows = rowsOf(counts, s, min(steps, s + stepsAhead), N);
      if (passing) gates = passing;
      packA<T>(stripsIh, xs, rows, I, I, 1);
      assign<T>(stripsIh, panelsIh, gates, rows, R, I, R, operands.bias);
      xs += <usize>rows * I * sizeof<T>();
    }
    const n = countAt(counts, s, N);
    packA<T>(strips, h, n, H, H, 1);
    multiply<T>(strips, panels, gates, n, R, H, R);
    forwardCell<T>(operands.kind, gates, c, cAfter, hAfter, n, H);
    c = cAfter;
    cAfter += <usize>n * state;
    h = hAfter;
    hAfter += <usize>n * state;
    gates += <usize>n * gate;
  }
  release(base);
}

/**
 * Replaces the gradients of the last states in `dh` and `dc` by those of the initial states. `douts[S, H]`, unless it
 * is 0, has the gradients of every step's h. Fills `dgates[S, R]`.
 * @bridge
 */
export function recurBackward<T>(at: usize): void {
  const operands = changetype<Operands>(at);
  const counts = operands.counts;
  const steps = operands.steps;
  const N = operands.N;
  const H = operands.H;
  const R = operands.R;
  const dh = operands.dh;
  const dc = operands.dc;
  const state = <usize>H * sizeof<T>();
  const gate = <usize>R * sizeof<T>();
  const base = mark();
  const panels = take(packedBBytes<T>(H, R));
  const strips = take(packedABytes<T>(N, R));
  packB<T>(panels, operands.weightHh, H, R, 1, H);
  let row = rowsOf(counts, 0, steps, N);
  for (let s = steps - 1; s >= 0; s--) {
    const n = countAt(counts, s, N);
    row -= n;
    const gatesOfStep = operands.gates + <usize>row * gate;
    const dgatesOfStep = operands.dgates + <usize>row * gate;
    if (operands.douts) {
      const given = operands.douts + <usize>row * state;
      for (let i: usize = 0; i < <usize>n * state; i += sizeof<T>())
        store<T>(dh + i, load<T>(dh + i) + load<T>(given + i));
    }
    const cAfter = operands.c + <usize>(N + row) * state;
    const cBefore = s > 0 ? cAfter - <usize>countAt(counts, s - 1, N) * state : operands.c;
    backwardCell<T>(operands.kind, gatesOfStep, cBefore, cAfter, dh, dc, dgatesOfStep, n, H);
    packA<T>(strips, dgatesOfStep, n, R, R, 1);
    assign<T>(strips, panels, dh, n, H, R, H, 0);
  }
  release(base);
}

/** The states before each step, in the order of the steps' rows. */
function statesBefore<T>(operands: Operands): usize {
  const counts = operands.counts;
  // If all sequences have the same length, h is already in this order.
  if (!counts) return operands.h;
  const N = operands.N;
  const state = <usize>operands.H * sizeof<T>();
  const before = take(<usize>rowsOf(counts, 0, operands.steps, N) * state);
  for (let s = 0, to = before, from = operands.h; s < operands.steps; s++) {
    const bytes = <usize>countAt(counts, s, N) * state;
    memory.copy(to, from, bytes);
    from += s > 0 ? <usize>countAt(counts, s - 1, N) * state : <usize>N * state;
    to += bytes;
  }
  return before;
}

/**
 * From all `dgates`: `dxs[S, I]`, `dweightIh[R, I]`, `dweightHh[R, H]`, and `dbias[R]` in float64.
 * @bridge
 */
export function recurGradients<T>(at: usize): void {
  const operands = changetype<Operands>(at);
  const dgates = operands.dgates;
  const I = operands.I;
  const H = operands.H;
  const R = operands.R;
  const base = mark();
  const rows = rowsOf(operands.counts, 0, operands.steps, operands.N);
  matmul<T>(dgates, operands.xs, operands.dweightIh, 0, R, I, rows, true, false, false);
  matmul<T>(dgates, statesBefore<T>(operands), operands.dweightHh, 0, R, H, rows, true, false, false);
  matmul<T>(dgates, operands.weightIh, operands.dxs, 0, rows, I, R, false, false, false);
  memory.fill(operands.dbias, 0, R * 8);
  sums<T>(dgates, rows * R, 1, R, 0, operands.dbias);
  release(base);
}
