/** A handwritten LSTM cell, with the gates sliced from the pre-activations. */
import type { Implementation } from './implementation.js';
import { recurrent, type Cell } from './recurrent.js';

const squash = (z: number) => 1 / (1 + Math.exp(-z));
const clipped = (z: number) => Math.min(1, Math.max(0, 0.2 * z + 0.5));
const isInside = (value: number) => Number(value > 0 && value < 1);

/** The blocks that the input, forget, cell and output gates are read from. */
const CUTS: Readonly<Record<string, readonly number[]>> = {
  gates_i_o_f_c: [0, 2, 3, 1],
  gates_i_c_f_o: [0, 2, 1, 3],
  gates_f_i_c_o: [1, 0, 2, 3],
  gates_i_f_o_c: [0, 1, 3, 2],
  // Output, input, forget, cell.
  gates_in_another_order: [1, 2, 3, 0],
  forget_bias_and_gate_order: [0, 2, 1, 3],
};

export const lstm: Implementation = (instance, wrong = '') => {
  const is = (id: string) => wrong.split('+').includes(id);
  const cuts = CUTS[wrong.split('+')[0]] ?? [0, 1, 2, 3];
  const bounded = is('relu_for_tanh') ? (z: number) => Math.max(0, z) : Math.tanh;
  const gatesOf = (z: readonly number[], j: number) => {
    const H = z.length / 4;
    const [zi, zf, zg, zo] = cuts.map((cut) => z[cut * H + j]);
    const bias = is('forget_bias_added') || is('forget_bias_and_gate_order') ? 1 : 0;
    const hard = is('hard_sigmoid_for_sigmoid') ? clipped : squash;
    const gate = is('tanh_for_all_gates') ? Math.tanh : hard;
    const i = gate(zi);
    const o = gate(zo);
    const f = gate(zf + bias) + (is('forget_bias_after_sigmoid') ? 1 : 0);
    const g = is('sigmoid_for_cell_gate') ? squash(zg) : bounded(zg);
    return { i, f, g, o, zs: [zi, zf, zg, zo] };
  };
  const cell: Cell = {
    gates: 4,
    forward(z, cBefore) {
      const c = cBefore.map((past, j) => {
        const { i, f, g } = gatesOf(z, j);
        if (is('forget_gate_coupled')) return (1 - i) * past + i * g;
        if (is('forget_gate_left_out')) return past + i * g;
        if (is('input_and_forget_exchanged_in_cell')) return i * past + f * g;
        return f * past + i * g;
      });
      const h = c.map((value, j) => gatesOf(z, j).o * (is('tanh_missing_on_cell') ? value : bounded(value)));
      return { h, c };
    },
    backward({ z, c, cBefore }, dh, dc) {
      const H = dh.length;
      const dz: number[] = [];
      const carried: number[] = [];
      dh.forEach((d, j) => {
        const { i, f, g, o, zs } = gatesOf(z, j);
        const tanh = bounded(c[j]);
        let through = d * o * (is('relu_for_tanh') ? Number(tanh > 0) : 1 - tanh * tanh);
        if (is('cell_tanh_derivative_missing') || is('tanh_missing_on_cell')) through = d * o;
        if (is('output_gate_missing_to_cell')) through = d * (1 - tanh * tanh);
        let dcell = dc[j] + through;
        if (is('cell_gradient_assigned')) dcell = through;
        if (is('hidden_path_to_cell_missing')) dcell = dc[j];
        let [di, df, dg, dOut] = [dcell * g, dcell * cBefore[j], dcell * i, d * tanh];
        if (is('forget_gradient_uses_c_t')) df = dcell * c[j];
        if (is('output_gradient_without_tanh') || is('tanh_missing_on_cell')) dOut = d * c[j];
        if (is('input_and_cell_factors_exchanged')) [di, dg] = [dg, di];
        let slopes = [i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)];
        if (is('derivative_of_preactivation'))
          slopes = zs.map((value, gate) => (gate === 2 ? 1 - value * value : value * (1 - value)));
        if (is('derivatives_all_of_sigmoid') || is('sigmoid_for_cell_gate')) slopes[2] = g * (1 - g);
        if (is('cell_gate_derivative_without_square')) slopes[2] = 1 - g;
        if (is('relu_for_tanh')) slopes[2] = Number(g > 0);
        if (is('hard_sigmoid_for_sigmoid'))
          slopes = [0.2 * isInside(i), 0.2 * isInside(f), slopes[2], 0.2 * isInside(o)];
        if (is('forget_bias_after_sigmoid')) slopes[1] = (f - 1) * (2 - f);
        if (is('gate_derivatives_missing')) slopes = [1, 1, 1, 1];
        if (is('input_gate_derivative_missing')) slopes[0] = 1;
        if (is('forget_gate_derivative_missing')) slopes[1] = 1;
        if (is('cell_gate_derivative_missing')) slopes[2] = 1;
        if (is('output_gate_derivative_missing')) slopes[3] = 1;
        [di, df, dg, dOut].forEach((value, gate) => (dz[cuts[gate] * H + j] = value * slopes[gate]));
        if (is('forget_gate_missing_in_carry')) carried.push(dcell);
        else if (is('input_gate_in_carry')) carried.push(dcell * i);
        else carried.push(is('no_gradient_through_time') ? 0 : dcell * f);
      });
      return { dz, dc: carried };
    },
  };
  return recurrent(instance, cell, wrong);
};
