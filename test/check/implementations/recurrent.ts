/** A handwritten recurrent layer: one sequence at a time, vectors as arrays, one record per step. */
import type { Instance } from '../../../src/layers/instance.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { make, range, sum, values } from './implementation.js';

type Vector = readonly number[];
type Matrix = readonly Vector[];

export interface StepRecord {
  readonly time: number;
  readonly x: Vector;
  readonly hBefore: Vector;
  readonly cBefore: Vector;
  readonly z: Vector;
  readonly h: Vector;
  readonly c: Vector;
}

/** The parts in which the two layers differ. */
export interface Cell {
  readonly gates: number;
  readonly forward: (z: Vector, cBefore: Vector) => { readonly h: Vector; readonly c: Vector };
  readonly backward: (step: StepRecord, dh: Vector, dc: Vector) => { readonly dz: Vector; readonly dc: Vector };
}

const times = (matrix: Matrix, vector: Vector) => matrix.map((row) => sum(row.map((value, k) => value * vector[k])));
const transposed = (matrix: Matrix): Matrix => matrix[0].map((_, k) => matrix.map((row) => row[k]));
const plus = (a: Vector, b: Vector) => a.map((value, k) => value + b[k]);
const chunk = (numbers: Vector, length: number): Vector[] =>
  range(numbers.length / length).map((i) => numbers.slice(i * length, (i + 1) * length));
const zero = (length: number): number[] => range(length).map(() => 0);
/** The same values, read as if they were stored as [columns, rows]. */
const misread = (matrix: Matrix): Matrix => transposed(chunk(matrix.flat(), matrix.length));
/** Each gate's square matrix transposed. */
const gateWise = (matrix: Matrix): Matrix =>
  chunk(matrix.flat(), matrix[0].length ** 2).flatMap((block) => transposed(chunk(block, matrix[0].length)));

export function recurrent({ inputs, options, upstream }: Instance, cell: Cell, wrong: string): Record<string, Tensor> {
  const bidirectional = options.direction === 'bidirectional';
  const D = bidirectional ? 2 : 1;
  const [N, T, I] = inputs.x.shape;
  const H = inputs.weight_hh.shape[inputs.weight_hh.shape.length - 1];
  const R = cell.gates * H;
  const part = (name: string, d: number, size: number): Vector =>
    name in inputs ? values(inputs[name]).slice(d * size, (d + 1) * size) : zero(size);
  const lengths =
    'sequence_lengths' in inputs && wrong !== 'lengths_ignored'
      ? values(inputs.sequence_lengths)
      : range(N).map(() => T);
  const x = chunk(values(inputs.x), I);
  const dout = 'dout' in upstream ? chunk(values(upstream.dout), H) : undefined;

  const out = range(N * T * D).map(() => zero(H));
  const dx = range(N * T).map(() => zero(I));
  const [hLast, cLast, dh0, dc0]: Vector[][] = [[], [], [], []];
  const gradients = range(D).map(() => ({
    ih: range(R).map(() => zero(I)),
    hh: range(R).map(() => zero(H)),
    bias: zero(R),
  }));

  for (const d of range(D)) {
    const reverse = d === 1;
    let weightIh: Matrix = chunk(part('weight_ih', d, R * I), I);
    let weightHh: Matrix = chunk(part('weight_hh', d, R * H), H);
    if (wrong === 'weight_ih_transposed') weightIh = misread(weightIh);
    if (wrong === 'weight_hh_transposed') weightHh = gateWise(weightHh);
    const biasIh = wrong === 'bias_ih_missing' ? zero(R) : part('bias_ih', d, R);
    const biasHh = wrong === 'bias_hh_missing' ? zero(R) : part('bias_hh', d, R);
    const h0 = wrong === 'h0_ignored' ? zero(N * H) : part('h0', d, N * H);
    const c0 = wrong === 'c0_ignored' ? zero(N * H) : part('c0', d, N * H);

    for (const n of range(N)) {
      const length = reverse && wrong === 'reverse_from_the_last_time' ? T : lengths[n];
      const steps: StepRecord[] = [];
      let h: Vector = h0.slice(n * H, (n + 1) * H);
      let c: Vector = c0.slice(n * H, (n + 1) * H);
      for (const s of range(length)) {
        const time = reverse && wrong !== 'reverse_input_not_turned' ? length - 1 - s : s;
        const fedBack = wrong === 'cell_state_for_hidden_state' ? c : h;
        const z = plus(plus(times(weightIh, x[n * T + time]), biasIh), plus(times(weightHh, fedBack), biasHh));
        const next = cell.forward(z, c);
        steps.push({ time, x: x[n * T + time], hBefore: h, cBefore: c, z, ...next });
        h = next.h;
        c = next.c;
      }
      const written = (s: number) => (wrong === 'reverse_not_turned_back' ? s : steps[s].time);
      steps.forEach((step, s) => {
        const side = wrong === 'directions_exchanged' ? 1 - d : d;
        out[(n * T + written(s)) * D + side] = [...step.h];
      });
      if (wrong === 'last_output_repeated') for (const t of range(T).slice(length)) out[(n * T + t) * D + d] = [...h];
      hLast.push(h);
      cLast.push(c);

      let dh: Vector = 'dh_n' in upstream ? values(upstream.dh_n).slice((d * N + n) * H, (d * N + n + 1) * H) : zero(H);
      let dc: Vector = 'dc_n' in upstream ? values(upstream.dc_n).slice((d * N + n) * H, (d * N + n + 1) * H) : zero(H);
      if (wrong === 'dh_n_ignored') dh = zero(H);
      if (wrong === 'dc_n_ignored') dc = zero(H);
      const back = transposed(wrong === 'weight_hh_not_transposed_in_backward' ? gateWise(weightHh) : weightHh);
      const backToX = transposed(wrong === 'dx_weight_transposed' ? misread(weightIh) : weightIh);
      let dzOfFirst: Vector = zero(R);
      for (let s = length - 1; s >= 0; s--) {
        const step = steps[s];
        const upstreamHere = dout ? dout[(n * T + written(s)) * D + d] : zero(H);
        if (wrong !== 'dout_dropped' || s === length - 1) dh = plus(dh, upstreamHere);
        const result = cell.backward(step, dh, dc);
        const { dz } = result;
        dc = result.dc;
        dzOfFirst = dz;
        if (wrong !== 'dx_of_one_direction' || !reverse)
          dx[n * T + step.time] = plus(dx[n * T + step.time], times(backToX, dz));
        const ofWeight = wrong === 'dweight_hh_of_state_after' ? step.h : step.hBefore;
        const sums = gradients[d];
        dz.forEach((value, r) => {
          if (wrong === 'weight_gradients_of_one_step' && s > 0) return;
          sums.ih[r] = plus(
            sums.ih[r],
            step.x.map((entry) => value * entry),
          );
          if (wrong !== 'dweight_hh_without_h0' || s > 0)
            sums.hh[r] = plus(
              sums.hh[r],
              ofWeight.map((entry) => value * entry),
            );
          sums.bias[r] += value;
        });
        const isCut = ['later_steps_dropped', 'no_gradient_through_time'].some((id) => wrong.split('+').includes(id));
        dh = isCut && s > 0 ? zero(H) : times(back, dz);
      }
      dh0.push(wrong === 'dh0_before_weight' ? dzOfFirst.slice(0, H) : dh);
      dc0.push(dc);
    }
  }

  const stacked = (...shape: number[]) => (bidirectional ? [2, ...shape] : shape);
  if (wrong === 'last_state_at_last_time')
    range(D).forEach((d) => {
      range(N).forEach((n) => (hLast[d * N + n] = out[(n * T + T - 1) * D + d]));
    });
  const answers = {
    out: make([N, T, D * H], out.flat()),
    h_n: make(stacked(N, H), hLast.flat()),
    ...(cell.gates === 4 ? { c_n: make(stacked(N, H), cLast.flat()) } : {}),
  };
  if (Object.keys(upstream).length === 0) return answers;
  const share = wrong === 'weight_gradients_averaged' ? 1 / N : 1;
  const ofBias = wrong === 'bias_gradients_added' ? 2 : share;
  const gateAt = (r: number) => Math.floor((r % R) / H);
  /** Rows of all directions, with the gates in the given order. */
  const rows = <Row>(all: readonly Row[]): Row[] =>
    wrong === 'gradient_gates_in_another_order'
      ? all.map((_, r) => all[r - gateAt(r) * H + [1, 3, 0, 2][gateAt(r)] * H])
      : [...all];
  let bias = rows(gradients.flatMap((sums) => sums.bias.map((value) => value * ofBias)));
  // The rows of the forget gate also replace those of the output gate.
  if (wrong === 'bias_gradient_copied') bias = bias.map((value, r) => (gateAt(r) === 3 ? bias[r - 2 * H] : value));
  const given = (name: string, tensor: Tensor) => (name in inputs ? { [`d${name}`]: tensor } : {});
  return {
    ...answers,
    dx: make(inputs.x.shape, dx.flat()),
    dweight_ih: make(
      stacked(R, I),
      rows(gradients.flatMap(({ ih }) => ih))
        .flat()
        .map((value) => value * share),
    ),
    dweight_hh: make(
      stacked(R, H),
      rows(gradients.flatMap(({ hh }) => hh))
        .map((row, r, all) =>
          wrong === 'dweight_hh_transposed' ? row.map((_, j) => all[r - (r % H) + j][r % H]) : row,
        )
        .flat()
        .map((value) => value * share),
    ),
    ...given('bias_ih', make(stacked(R), bias)),
    ...given('bias_hh', make(stacked(R), bias)),
    ...given('h0', make(stacked(N, H), dh0.flat())),
    ...given('c0', make(stacked(N, H), dc0.flat())),
  };
}
