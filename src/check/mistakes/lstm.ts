/**
 * Known mistakes in lstm, in addition to those of all recurrent layers and to slips in its formulas. Gates: input,
 * forget, cell, output.
 */
import { lstm as layer } from '../../layers/lstm.js';
import { lstm as bounds } from '../bounds/lstm.js';
import { defineChecks, sharing, type Mistake } from '../define.js';
import type { Way } from '../written.js';
import { gateOrders } from './lstm/orders.js';
import { recurrentChecks } from './recurrence/instance.js';
import { dhWithoutLater, recurrentMistakes, zerosFor } from './recurrence/mistakes.js';

const OUTPUTS = ['out', 'h_n', 'c_n'];
const GRADIENTS = ['dx', 'dh0', 'dc0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const ALL = [...OUTPUTS, ...GRADIENTS];

const GATES = ['i', 'f', 'g', 'o'];

/** The gradients of the gates, without the derivatives of their nonlinearities. */
const OF_GATES = ['dc · g', 'dc · c[d,n,t−1,j]', 'dc · i', 'dh · tanh(c)'];

const ofGate = (gate: number, derivative: string) =>
  `dz_${GATES[gate]} = ${OF_GATES[gate]}${derivative && ` · ${derivative}`}`;

/** @param derivative of a gate's nonlinearity, by its name and whether it is a tanh */
const ofGates = (derivative: (gate: string, isTanh: boolean) => string, gates = [0, 1, 2, 3]): string[] =>
  gates.map((gate) => ofGate(gate, derivative(GATES[gate], gate === 2)));

const SIGMOIDS = [0, 1, 3];

/** Another nonlinearity for the sigmoids, with the derivative of the sigmoid and with its own. */
const forSigmoids = (nonlinearity: (z: string) => string, derivative: (gate: string) => string): Way[] => {
  const forward = SIGMOIDS.map((gate) => `${GATES[gate]} = ${nonlinearity(`z_${GATES[gate]}`)}`);
  return [{ formulas: [...forward, ...ofGates(derivative, SIGMOIDS)] }, { formulas: forward }];
};

const mistakes: readonly Mistake[] = sharing({ tensors: GRADIENTS }, [
  {
    id: 'input_and_cell_factors_exchanged',
    explanation: 'The gradient of the input gate was computed with i, and that of the cell gate with g.',
    fix: 'di = dc_t · g, dg = dc_t · i',
    formulas: ['dz_i = dc · i · i · (1 − i)', 'dz_g = dc · g · (1 − g²)'],
  },
  {
    id: 'tanh_missing_on_cell',
    tensors: ALL,
    explanation: 'The output lacks the tanh of the cell state: h = o · c.',
    fix: 'h_t = o_t · tanh(c_t)',
    ways: [
      { formulas: ['h = o · c'] },
      { formulas: ['h = o · c', 'dc = dc_back[d,n,t+1,j] + dh · o', 'dz_o = dh · c · o · (1 − o)'] },
    ],
  },
  {
    id: 'no_gradient_through_time',
    explanation: 'No gradient flows back from later steps, through either the hidden or the cell state.',
    fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1), dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step',
    ways: [
      { formulas: (instance) => [dhWithoutLater(instance), 'dc_back = 0'] },
      // The gradient of c0 is passed on.
      {
        formulas: (instance) => [
          dhWithoutLater(instance),
          `dc = ${'dc_n' in instance.upstream ? 'dc_n · is_last + ' : ''}dh · o · (1 − tanh(c)²)`,
        ],
      },
    ],
  },
  {
    id: 'gate_derivatives_missing',
    explanation: 'The derivatives of the nonlinearities are missing, for all four gates or for the three sigmoids.',
    fix: 'multiply by i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      { formulas: ofGates(() => '') },
      { formulas: ofGates(() => '', SIGMOIDS) },
      ...['input', 'forget', 'output'].map((name, i) => ({
        explanation: `The gradient of the ${name} gate was not multiplied by the derivative of its nonlinearity.`,
        formulas: ofGates(() => '', [SIGMOIDS[i]]),
      })),
    ],
  },
  {
    id: 'derivative_of_preactivation',
    explanation:
      'The derivatives of sigmoid and tanh were computed as z · (1 − z) and 1 − z², from the pre-activations.',
    fix: 'i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      ...[undefined, [0], [1], [2], [3]].map((gates) => ({
        formulas: ofGates((gate, isTanh) => (isTanh ? `(1 − z_${gate}²)` : `z_${gate} · (1 − z_${gate})`), gates),
      })),
      {
        explanation:
          'The derivatives were computed as σ(i) · (1 − σ(i)) and 1 − tanh(g)², with σ and tanh applied twice.',
        formulas: ofGates((gate, isTanh) => (isTanh ? `(1 − tanh(${gate})²)` : `σ(${gate}) · (1 − σ(${gate}))`)),
      },
    ],
  },
  {
    id: 'sigmoid_for_cell_gate',
    tensors: ALL,
    explanation: 'All four gates are sigmoids; the cell gate is a tanh.',
    fix: 'g = tanh(z_g)',
    ways: [{ formulas: ['g = σ(z_g)'] }, { formulas: ['g = σ(z_g)', ofGate(2, 'g · (1 − g)')] }],
  },
  {
    id: 'tanh_for_all_gates',
    tensors: ALL,
    explanation: 'All four gates are tanh; the input, forget and output gates are sigmoids.',
    fix: 'i = σ(z_i), f = σ(z_f), o = σ(z_o)',
    ways: forSigmoids(
      (z) => `tanh(${z})`,
      (gate) => `(1 − ${gate}²)`,
    ),
  },
  {
    id: 'hard_sigmoid_for_sigmoid',
    tensors: ALL,
    explanation: 'The gates are hard sigmoids, as they were by default in early versions of Keras.',
    fix: 'i = σ(z_i), f = σ(z_f), o = σ(z_o), with σ(z) = 1 / (1 + exp(−z))',
    ways: [
      ...forSigmoids(
        (z) => `hard_sigmoid(${z})`,
        (gate) => `0.2 · positive(${gate}) · positive(1 − ${gate})`,
      ),
      ...forSigmoids(
        (z) => `(relu(${z} / 6 + 0.5) − relu(${z} / 6 − 0.5))`,
        (gate) => `positive(${gate}) · positive(1 − ${gate}) / 6`,
      ).map((way) => ({
        ...way,
        explanation: 'The gates are hard sigmoids, clipped z / 6 + 1/2, as in torch.nn.Hardsigmoid.',
      })),
    ],
  },
  {
    id: 'relu_for_tanh',
    tensors: ALL,
    explanation: 'Both tanh, of the cell gate and of the cell state, are relu.',
    fix: 'g = tanh(z_g), h_t = o_t · tanh(c_t)',
    ways: [
      {
        formulas: [
          'g = relu(z_g)',
          'h = o · relu(c)',
          'dc = dc_back[d,n,t+1,j] + dh · o · positive(c)',
          'dz_o = dh · relu(c) · o · (1 − o)',
          ofGate(2, 'positive(z_g)'),
        ],
      },
      { formulas: ['g = relu(z_g)', 'h = o · relu(c)'] },
    ],
  },
  {
    id: 'forget_gate_coupled',
    tensors: ALL,
    explanation: 'The forget gate is 1 − i.',
    fix: 'c_t = f · c_(t−1) + i · g, with a separate forget gate',
    ways: [
      { formulas: ['f = 1 − i', 'dz_i = dc · (g − c[d,n,t−1,j]) · i · (1 − i)', 'dz_f = 0'] },
      { formulas: ['f = 1 − i'] },
      { formulas: ['c = (1 − i) · c[d,n,t−1,j] + i · g'] },
    ],
  },
  {
    id: 'input_and_forget_exchanged_in_cell',
    tensors: ALL,
    explanation: 'The input gate multiplies the previous cell state, and the forget gate the new values.',
    fix: 'c_t = f · c_(t−1) + i · g',
    formulas: ['c = i · c[d,n,t−1,j] + f · g'],
  },
  {
    id: 'forget_bias_added',
    tensors: ALL,
    explanation: 'A bias of 1 was added to the forget gate.',
    fix: 'do not add it: a caller who wants a forget bias puts it into the parameter',
    formulas: ['f = σ(z_f + 1)'],
  },
  {
    id: 'forget_bias_after_sigmoid',
    tensors: ALL,
    explanation: 'A bias of 1 was added to the forget gate after the sigmoid: f = σ(z_f) + 1.',
    fix: 'do not add it: f = σ(z_f); a forget bias belongs in the parameter',
    ways: [{ formulas: ['f = σ(z_f) + 1'] }, { formulas: ['f = σ(z_f) + 1', ofGate(1, '(f − 1) · (2 − f)')] }],
  },
  {
    id: 'dc_n_ignored',
    explanation: 'dc_n, the gradient of the last cell state, was ignored.',
    fix: 'start the backward pass with dc = dc_n',
    hidden: 'dc_n is 0',
    given: zerosFor('dc_n', 'dc_n'),
  },
  {
    id: 'c0_ignored',
    tensors: ALL,
    explanation: 'c0 was ignored: the initial cell state was zero.',
    fix: 'c_1 = f · c0 + i · g',
    hidden: 'c0 is 0',
    given: zerosFor('c0', 'c0'),
  },
  {
    id: 'dweight_hh_transposed',
    tensors: ['dweight_hh'],
    explanation: 'dweight_hh was computed as h · dzᵀ, so each of its blocks is transposed.',
    fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
    hidden: 'dweight_hh is symmetric',
    formulas: ['dweight_hh[d,block_row,block_column] = Σ_nt dz · h[d,n,t−1,k]'],
  },
]);

export const lstm = defineChecks({
  layer,
  bounds,
  ...recurrentChecks('lstm', 'gate row'),
  mistakes: [...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }), ...mistakes, ...gateOrders(ALL)],
  blocks: { 'gate row': ['input gate', 'forget gate', 'cell gate', 'output gate'] },
});
