/** How an lstm goes wrong, beside what recurrent layers get wrong alike. Gates: input, forget, cell, output. */
import { lstm as layer } from '../../layers/lstm.js';
import { defineChecks, type Steps } from '../definition.js';
import {
  recurrentAxes,
  recurrentConstants,
  recurrentExample,
  recurrentGiven,
  recurrentMistakes,
  recurrentReadings,
  recurrentSteps,
  type Given,
  type Made,
  type RecurrentMistake,
  type State,
  type Unit,
} from './recurrence.js';

const OUTPUTS = ['out', 'h_n', 'c_n'];
const GRADIENTS = ['dx', 'dh0', 'dc0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const ALL = [...OUTPUTS, ...GRADIENTS];

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** The parts of a unit, forward and back, that a mistake may have otherwise. */
interface Parts {
  readonly activate: (z: number, gate: number) => number;
  readonly cell: (a: readonly number[], cBefore: number) => number;
  readonly hidden: (o: number, c: number) => number;
}

interface BackParts {
  readonly derivative: (unit: Unit, gate: number) => number;
  /** The cell state's gradient, of what comes from later and of what comes through h. */
  readonly cell: (later: number, throughHidden: number) => number;
  /** What h passes on to the cell state. */
  readonly hidden: (unit: Unit) => number;
  /** Of each gate, what the gradient of the cell state, or of h, is multiplied by. */
  readonly factors: (unit: Unit) => readonly number[];
  /** What of the cell state's gradient goes on to the step before. */
  readonly carry: (dcell: number, unit: Unit) => number;
}

const parts: Parts = {
  activate: (z, gate) => (gate === 2 ? Math.tanh(z) : sigmoid(z)),
  cell: ([i, f, g], cBefore) => f * cBefore + i * g,
  hidden: (o, c) => o * Math.tanh(c),
};

const backParts: BackParts = {
  derivative: ({ a }, gate) => (gate === 2 ? 1 - a[2] ** 2 : a[gate] * (1 - a[gate])),
  cell: (later, throughHidden) => later + throughHidden,
  hidden: ({ a, c }) => a[3] * (1 - Math.tanh(c) ** 2),
  factors: ({ a: [i, , g], c, cBefore }) => [g, cBefore, i, Math.tanh(c)],
  carry: (dcell, { a }) => dcell * a[1],
};

const unitOf = (changes: Partial<Parts> = {}) => {
  const { activate, cell, hidden } = { ...parts, ...changes };
  return () =>
    (z: readonly number[], cBefore: number): Unit => {
      const a = z.map((value, gate) => activate(value, gate));
      const c = cell(a, cBefore);
      return { z, a, h: hidden(a[3], c), c, cBefore };
    };
};

const backOf = (changes: Partial<BackParts> = {}) => {
  const { derivative, cell, hidden, factors, carry } = { ...backParts, ...changes };
  return () => (unit: Unit, dh: number, dc: number) => {
    const dcell = cell(dc, dh * hidden(unit));
    const from = [dcell, dcell, dcell, dh];
    const dz = factors(unit).map((factor, gate) => from[gate] * factor * derivative(unit, gate));
    return { dz, dc: carry(dcell, unit) };
  };
};

const steps: Steps<Given, Made> = { ...recurrentSteps, unit: unitOf(), unitBack: backOf() };

const LETTERS = ['i', 'f', 'c', 'o'];

/** Where each gate stands: order[gate] is the block of a weight that it takes. */
const orderOf = (names: string) => LETTERS.map((letter) => names.indexOf(letter));

const gateOrder = (names: string, who: string): RecurrentMistake => ({
  id: `gates_${names.split('').join('_')}`,
  tensors: ALL,
  explanation: `The gates were read in the order ${names.split('').join(', ')}, as ${who} has them.`,
  fix: 'the order is input, forget, cell, output',
  ways: [{ steps: { order: () => orderOf(names) } }],
});

function permutations(rest: readonly string[]): string[] {
  if (rest.length === 0) return [''];
  return rest.flatMap((letter) => permutations(rest.filter((other) => other !== letter)).map((end) => letter + end));
}

const otherOrders = permutations(LETTERS).filter((names) => names !== 'ifco');

const derivativeMissing = (gate: number, name: string, derivative: string): RecurrentMistake => ({
  id: `${name}_derivative_missing`,
  tensors: GRADIENTS,
  explanation: `The gradient of the ${name.replaceAll('_', ' ')} was not multiplied by the derivative of its nonlinearity.`,
  fix: `multiply by ${derivative}`,
  ways: [
    {
      steps: { unitBack: backOf({ derivative: (unit, of) => (of === gate ? 1 : backParts.derivative(unit, of)) }) },
    },
  ],
});

/** One gate's bias gradient in another's place. */
const copied = (from: number, to: number) => (s: State) => {
  const R = 4 * s.H;
  return s.dbias.map((value, r) => {
    const row = r % R;
    return Math.floor(row / s.H) === to ? s.dbias[r - row + from * s.H + (row % s.H)] : value;
  });
};

const mistakes: readonly RecurrentMistake[] = [
  ...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }),
  {
    id: 'cell_gradient_assigned',
    tensors: GRADIENTS,
    explanation: 'The gradient of the cell state is what comes through h alone: = stands where += belongs.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step and no dc_n',
    ways: [{ steps: { unitBack: backOf({ cell: (_, throughHidden) => throughHidden }) } }],
  },
  {
    id: 'hidden_path_to_cell_missing',
    tensors: GRADIENTS,
    explanation: 'The gradient of the cell state lacks what comes through h.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    ways: [{ steps: { unitBack: backOf({ cell: (later) => later }) } }],
  },
  {
    id: 'forget_gate_missing_in_carry',
    tensors: GRADIENTS,
    explanation: "The cell state's gradient went to the step before without the forget gate.",
    fix: 'dc_(t−1) = dc_t · f_t',
    ways: [{ steps: { unitBack: backOf({ carry: (dcell) => dcell }) } }],
  },
  {
    id: 'input_gate_in_carry',
    tensors: GRADIENTS,
    explanation: "The cell state's gradient went to the step before with another gate than the forget gate.",
    fix: 'dc_(t−1) = dc_t · f_t',
    ways: [0, 3].map((gate) => ({ steps: { unitBack: backOf({ carry: (dcell, { a }) => dcell * a[gate] }) } })),
  },
  {
    id: 'forget_gradient_uses_c_t',
    tensors: GRADIENTS,
    explanation: "The forget gate's gradient was computed with c_t, the cell state after the step.",
    fix: 'df = dc_t · c_(t−1)',
    ways: [
      {
        steps: {
          unitBack: backOf({
            factors: (unit) => backParts.factors(unit).map((factor, gate) => (gate === 1 ? unit.c : factor)),
          }),
        },
      },
    ],
  },
  {
    id: 'output_gradient_without_tanh',
    tensors: GRADIENTS,
    explanation: "The output gate's gradient was computed with c_t, not with tanh(c_t).",
    fix: 'do = dh_t · tanh(c_t)',
    ways: [
      {
        steps: {
          unitBack: backOf({
            factors: (unit) => backParts.factors(unit).map((factor, gate) => (gate === 3 ? unit.c : factor)),
          }),
        },
      },
    ],
  },
  {
    id: 'input_and_cell_factors_exchanged',
    tensors: GRADIENTS,
    explanation: 'The gradient of the input gate was computed with i, and that of the cell gate with g.',
    fix: 'di = dc_t · g, dg = dc_t · i',
    ways: [
      {
        steps: {
          unitBack: backOf({
            factors: (unit) => {
              const [g, before, i, tanh] = backParts.factors(unit);
              return [i, before, g, tanh];
            },
          }),
        },
      },
    ],
  },
  {
    id: 'tanh_missing_on_cell',
    tensors: ALL,
    explanation: 'The output lacks the tanh of the cell state: h = o · c.',
    fix: 'h_t = o_t · tanh(c_t)',
    ways: [
      { steps: { unit: unitOf({ hidden: (o, c) => o * c }) } },
      {
        steps: {
          unit: unitOf({ hidden: (o, c) => o * c }),
          unitBack: backOf({ hidden: ({ a }) => a[3], factors: ({ a: [i, , g], c, cBefore }) => [g, cBefore, i, c] }),
        },
      },
    ],
  },
  {
    id: 'cell_tanh_derivative_missing',
    tensors: GRADIENTS,
    explanation: 'On the way from h to the cell state the derivative of tanh is missing.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + …',
    ways: [
      { steps: { unitBack: backOf({ hidden: ({ a }) => a[3] }) } },
      { steps: { unitBack: backOf({ hidden: ({ a, c }) => a[3] * (1 - c ** 2) }) } },
    ],
  },
  {
    id: 'output_gate_missing_to_cell',
    tensors: GRADIENTS,
    explanation: 'On the way from h to the cell state the output gate is missing.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + …',
    ways: [{ steps: { unitBack: backOf({ hidden: ({ c }) => 1 - Math.tanh(c) ** 2 }) } }],
  },
  {
    id: 'no_gradient_through_time',
    tensors: GRADIENTS,
    explanation: 'No gradient comes back from later steps, neither through the hidden nor through the cell state.',
    fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1), dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step',
    ways: [{ steps: { handedOn: () => () => 0, unitBack: backOf({ carry: () => 0 }) } }],
  },
  {
    id: 'gate_derivatives_missing',
    tensors: GRADIENTS,
    explanation: 'The derivatives of the nonlinearities are missing: of all four gates, or of the three sigmoids.',
    fix: 'multiply by i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      { steps: { unitBack: backOf({ derivative: () => 1 }) } },
      { steps: { unitBack: backOf({ derivative: ({ a }, gate) => (gate === 2 ? 1 - a[2] ** 2 : 1) }) } },
    ],
  },
  derivativeMissing(0, 'input_gate', 'i · (1 − i)'),
  derivativeMissing(1, 'forget_gate', 'f · (1 − f)'),
  derivativeMissing(2, 'cell_gate', '1 − g²'),
  derivativeMissing(3, 'output_gate', 'o · (1 − o)'),
  {
    id: 'derivative_of_preactivation',
    tensors: GRADIENTS,
    explanation: 'The derivatives of sigmoid and tanh were taken as z · (1 − z) and 1 − z², of the pre-activations.',
    fix: 'i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      {
        steps: {
          unitBack: backOf({ derivative: ({ z }, gate) => (gate === 2 ? 1 - z[2] ** 2 : z[gate] * (1 - z[gate])) }),
        },
      },
      // Of one gate alone.
      ...[0, 1, 2, 3].map((wrong) => ({
        steps: {
          unitBack: backOf({
            derivative: (unit: Unit, gate: number) => {
              const z = unit.z[gate];
              if (gate !== wrong) return backParts.derivative(unit, gate);
              return gate === 2 ? 1 - z ** 2 : z * (1 - z);
            },
          }),
        },
      })),
      {
        steps: {
          unitBack: backOf({
            derivative: ({ a }, gate) =>
              gate === 2 ? 1 - Math.tanh(a[2]) ** 2 : sigmoid(a[gate]) * (1 - sigmoid(a[gate])),
          }),
        },
      },
    ],
  },
  {
    id: 'derivatives_all_of_sigmoid',
    tensors: GRADIENTS,
    explanation: "The cell gate's derivative was taken as that of a sigmoid, g · (1 − g).",
    fix: 'multiply by 1 − g²',
    ways: [{ steps: { unitBack: backOf({ derivative: ({ a }, gate) => a[gate] * (1 - a[gate]) }) } }],
  },
  {
    id: 'sigmoid_for_cell_gate',
    tensors: ALL,
    explanation: 'All four gates are sigmoids; the cell gate is a tanh.',
    fix: 'g = tanh(z_g)',
    ways: [
      { steps: { unit: unitOf({ activate: sigmoid }) } },
      {
        steps: {
          unit: unitOf({ activate: sigmoid }),
          unitBack: backOf({ derivative: ({ a }, gate) => a[gate] * (1 - a[gate]) }),
        },
      },
    ],
  },
  {
    id: 'tanh_for_all_gates',
    tensors: OUTPUTS,
    explanation: 'All four gates are tanh; the input, forget and output gates are sigmoids.',
    fix: 'i = σ(z_i), f = σ(z_f), o = σ(z_o)',
    ways: [{ steps: { unit: unitOf({ activate: Math.tanh }) } }],
  },
  {
    id: 'forget_gate_coupled',
    tensors: OUTPUTS,
    explanation: 'The forget gate is 1 − i.',
    fix: 'c_t = f · c_(t−1) + i · g, with a forget gate of its own',
    ways: [{ steps: { unit: unitOf({ cell: ([i, , g], cBefore) => (1 - i) * cBefore + i * g }) } }],
  },
  {
    id: 'forget_gate_left_out',
    tensors: OUTPUTS,
    explanation: 'The forget gate was left out: c_t = c_(t−1) + i · g.',
    fix: 'c_t = f · c_(t−1) + i · g',
    ways: [{ steps: { unit: unitOf({ cell: ([i, , g], cBefore) => cBefore + i * g }) } }],
  },
  {
    id: 'input_and_forget_exchanged_in_cell',
    tensors: OUTPUTS,
    explanation: 'The input gate weighs the past and the forget gate what is new.',
    fix: 'c_t = f · c_(t−1) + i · g',
    ways: [{ steps: { unit: unitOf({ cell: ([i, f, g], cBefore) => i * cBefore + f * g }) } }],
  },
  {
    id: 'forget_bias_added',
    tensors: ALL,
    explanation: 'A bias of 1 was added to the forget gate.',
    fix: 'the biases are bias_ih and bias_hh; a forget bias of 1 belongs into one of them',
    ways: [
      {
        given: ({ biasIh, H }) => ({
          biasIh: biasIh.map((value, r) => (Math.floor((r % (4 * H)) / H) === 1 ? value + 1 : value)),
        }),
      },
    ],
  },
  {
    id: 'cell_state_for_hidden_state',
    tensors: OUTPUTS,
    explanation: 'The cell state was fed back into the gates where the hidden state belongs.',
    fix: 'z_t = weight_ih · x_t + weight_hh · h_(t−1) + …',
    ways: [{ steps: { recurrent: () => (_, c) => c } }],
  },
  {
    id: 'dc_n_ignored',
    tensors: GRADIENTS,
    explanation: 'dc_n, the gradient of the last cell state, was ignored.',
    fix: 'start the way back with dc = dc_n',
    hidden: 'no dc_n was given, or it is 0',
    ways: [{ given: ({ dcLast }) => ({ dcLast: new Float64Array(dcLast.length) }) }],
  },
  {
    id: 'c0_ignored',
    tensors: ALL,
    explanation: 'c0 was ignored: the first cell state was zeros.',
    fix: 'c_1 = f · c0 + i · g',
    hidden: 'no c0 was given, or it is 0',
    ways: [{ given: ({ c0 }) => ({ c0: new Float64Array(c0.length) }) }],
  },
  gateOrder('iofc', 'ONNX'),
  gateOrder('icfo', 'TensorFlow’s BasicLSTMCell'),
  gateOrder('fico', 'some textbooks'),
  gateOrder('ifoc', 'some textbooks and courses'),
  {
    id: 'gradient_gates_in_another_order',
    tensors: ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'],
    explanation: 'The gradients of the gates are right, but stand in another order than the gates of the weights.',
    fix: 'the order is input, forget, cell, output',
    ways: otherOrders.map((names) => ({ steps: { gradientOrder: () => orderOf(names) } })),
  },
  {
    id: 'bias_gradient_copied',
    tensors: ['dbias_ih', 'dbias_hh'],
    explanation: "One gate's bias gradient stands in the place of another's.",
    fix: 'each gate has its own: dbias = Σ_t dz_t, all four blocks',
    ways: [0, 1, 2, 3].flatMap((from) =>
      [0, 1, 2, 3]
        .filter((to) => to !== from)
        .map((to) => ({ steps: { dbias_ih: copied(from, to), dbias_hh: copied(from, to) } })),
    ),
  },
];

export const lstm = defineChecks<Given, Made>({
  layer,
  given: (call) => recurrentGiven(call, 4),
  steps,
  mistakes,
  axes: recurrentAxes('gate row'),
  constants: recurrentConstants,
  readings: recurrentReadings,
  example: (numbers, needs) => recurrentExample(numbers, needs, 4),
});
