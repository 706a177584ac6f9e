/** How an lstm goes wrong, beside what recurrent layers get wrong alike. Gates: input, forget, cell, output. */
import { lstm as layer } from '../../layers/lstm.js';
import { defineChecks, type Mistake, type Steps } from '../definition.js';
import {
  recurrentAxes,
  recurrentConstants,
  recurrentExample,
  recurrentGiven,
  recurrentReadings,
} from './recurrence/call.js';
import { recurrentMistakes } from './recurrence/mistakes.js';
import { recurrentSteps, type Given, type Made, type Unit } from './recurrence/steps.js';

const OUTPUTS = ['out', 'h_n', 'c_n'];
const GRADIENTS = ['dx', 'dh0', 'dc0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const ALL = [...OUTPUTS, ...GRADIENTS];

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** The parts of a unit, forward and back, that a mistake may have otherwise: each is a step, so that two may be. */
interface Parts {
  readonly activate: (z: number, gate: number) => number;
  readonly cell: (a: readonly number[], cBefore: number) => number;
  readonly hidden: (o: number, c: number) => number;

  /** What h passes on to the cell state. */
  readonly throughHidden: (unit: Unit) => number;
  /** The cell state's gradient, of what comes from later and of what comes through h. */
  readonly cellGradient: (later: number, throughHidden: number) => number;
  /** Of each gate, what the gradient of the cell state, or of h, is multiplied by. */
  readonly inputFactor: (unit: Unit) => number;
  readonly forgetFactor: (unit: Unit) => number;
  readonly cellFactor: (unit: Unit) => number;
  readonly outputFactor: (unit: Unit) => number;
  /** Derivatives of the gates' nonlinearities. */
  readonly inputDerivative: (unit: Unit) => number;
  readonly forgetDerivative: (unit: Unit) => number;
  readonly cellDerivative: (unit: Unit) => number;
  readonly outputDerivative: (unit: Unit) => number;
  /** What of the cell state's gradient goes on to the step before. */
  readonly carry: (dcell: number, unit: Unit) => number;
}

type LstmMade = Made & Parts;
type LstmMistake = Mistake<Given, LstmMade>;
type State = Given & LstmMade;

const slopeOfSigmoid = (gate: number) => () => (unit: Unit) => unit.a[gate] * (1 - unit.a[gate]);

const steps: Steps<Given, LstmMade> = {
  ...recurrentSteps,
  activate: () => (z, gate) => (gate === 2 ? Math.tanh(z) : sigmoid(z)),
  cell:
    () =>
    ([i, f, g], cBefore) =>
      f * cBefore + i * g,
  hidden: () => (o, c) => o * Math.tanh(c),
  unit: ({ activate, cell, hidden }) => {
    return (z, cBefore) => {
      const a = z.map(activate);
      const c = cell(a, cBefore);
      return { z, a, h: hidden(a[3], c), c, cBefore };
    };
  },

  throughHidden:
    () =>
    ({ a, c }) =>
      a[3] * (1 - Math.tanh(c) ** 2),
  cellGradient: () => (later, throughHidden) => later + throughHidden,
  inputFactor: () => (unit) => unit.a[2],
  forgetFactor: () => (unit) => unit.cBefore,
  cellFactor: () => (unit) => unit.a[0],
  outputFactor: () => (unit) => Math.tanh(unit.c),
  inputDerivative: slopeOfSigmoid(0),
  forgetDerivative: slopeOfSigmoid(1),
  cellDerivative: () => (unit) => 1 - unit.a[2] ** 2,
  outputDerivative: slopeOfSigmoid(3),
  carry: () => (dcell, unit) => dcell * unit.a[1],
  unitBack: (s) => {
    const { throughHidden, cellGradient, carry } = s;
    const factors = [s.inputFactor, s.forgetFactor, s.cellFactor, s.outputFactor];
    const derivatives = [s.inputDerivative, s.forgetDerivative, s.cellDerivative, s.outputDerivative];
    return (unit, dh, dc) => {
      const dcell = cellGradient(dc, dh * throughHidden(unit));
      const dz = factors.map((factor, gate) => (gate === 3 ? dh : dcell) * factor(unit) * derivatives[gate](unit));
      return { dz, dc: carry(dcell, unit) };
    };
  },
};

/** The steps that are the derivatives of the gates, in their order. */
const DERIVATIVES = ['inputDerivative', 'forgetDerivative', 'cellDerivative', 'outputDerivative'] as const;

/** @param derivative by the gate */
const derivativesOf = (derivative: (unit: Unit, gate: number) => number): Partial<Steps<Given, LstmMade>> =>
  Object.fromEntries(DERIVATIVES.map((name, gate) => [name, () => (unit: Unit) => derivative(unit, gate)]));

const LETTERS = ['i', 'f', 'c', 'o'];

/** Where each gate stands: order[gate] is the block of a weight that it takes. */
const orderOf = (names: string) => LETTERS.map((letter) => names.indexOf(letter));

const gateOrder = (names: string, who: string): LstmMistake => ({
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

/** Those that somebody has, and that are mistakes of their own. */
const NAMED_ORDERS = ['iofc', 'icfo', 'fico', 'ifoc'];

const derivativeMissing = (gate: number, name: string, derivative: string): LstmMistake => ({
  id: `${name}_derivative_missing`,
  tensors: GRADIENTS,
  explanation: `The gradient of the ${name.replaceAll('_', ' ')} was not multiplied by the derivative of its nonlinearity.`,
  fix: `multiply by ${derivative}`,
  ways: [{ steps: { [DERIVATIVES[gate]]: () => () => 1 } }],
});

/** Of what goes into a gate, where what comes out of it belongs. */
const slopeOfPreactivation = ({ z }: Unit, gate: number) => (gate === 2 ? 1 - z[gate] ** 2 : z[gate] * (1 - z[gate]));

/** One gate's bias gradient in another's place. */
const copied = (from: number, to: number) => (s: State) => {
  const R = 4 * s.H;
  return s.dbias.map((value, r) => {
    const row = r % R;
    return Math.floor(row / s.H) === to ? s.dbias[r - row + from * s.H + (row % s.H)] : value;
  });
};

const mistakes: readonly LstmMistake[] = [
  ...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }),
  {
    id: 'cell_gradient_assigned',
    tensors: GRADIENTS,
    explanation: 'The gradient of the cell state is what comes through h alone: = stands where += belongs.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step and no dc_n',
    ways: [{ steps: { cellGradient: () => (_, throughHidden) => throughHidden } }],
  },
  {
    id: 'hidden_path_to_cell_missing',
    tensors: GRADIENTS,
    explanation: 'The gradient of the cell state lacks what comes through h.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    ways: [{ steps: { cellGradient: () => (later) => later } }],
  },
  {
    id: 'forget_gate_missing_in_carry',
    tensors: GRADIENTS,
    explanation: "The cell state's gradient went to the step before without the forget gate.",
    fix: 'dc_(t−1) = dc_t · f_t',
    ways: [{ steps: { carry: () => (dcell) => dcell } }],
  },
  {
    id: 'input_gate_in_carry',
    tensors: GRADIENTS,
    explanation: "The cell state's gradient went to the step before with another gate than the forget gate.",
    fix: 'dc_(t−1) = dc_t · f_t',
    ways: [0, 3].map((gate) => ({
      steps: {
        carry:
          () =>
          (dcell: number, { a }: Unit) =>
            dcell * a[gate],
      },
    })),
  },
  {
    id: 'forget_gradient_uses_c_t',
    tensors: GRADIENTS,
    explanation: "The forget gate's gradient was computed with c_t, the cell state after the step.",
    fix: 'df = dc_t · c_(t−1)',
    ways: [{ steps: { forgetFactor: () => (unit) => unit.c } }],
  },
  {
    id: 'output_gradient_without_tanh',
    tensors: GRADIENTS,
    explanation: "The output gate's gradient was computed with c_t, not with tanh(c_t).",
    fix: 'do = dh_t · tanh(c_t)',
    ways: [{ steps: { outputFactor: () => (unit) => unit.c } }],
  },
  {
    id: 'input_and_cell_factors_exchanged',
    tensors: GRADIENTS,
    explanation: 'The gradient of the input gate was computed with i, and that of the cell gate with g.',
    fix: 'di = dc_t · g, dg = dc_t · i',
    ways: [{ steps: { inputFactor: () => (unit) => unit.a[0], cellFactor: () => (unit) => unit.a[2] } }],
  },
  {
    id: 'tanh_missing_on_cell',
    tensors: ALL,
    explanation: 'The output lacks the tanh of the cell state: h = o · c.',
    fix: 'h_t = o_t · tanh(c_t)',
    ways: [
      { steps: { hidden: () => (o, c) => o * c } },
      {
        steps: {
          hidden: () => (o, c) => o * c,
          throughHidden: () => (unit) => unit.a[3],
          outputFactor: () => (unit) => unit.c,
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
      { steps: { throughHidden: () => (unit) => unit.a[3] } },
      { steps: { throughHidden: () => (unit) => unit.a[3] * (1 - unit.c ** 2) } },
    ],
  },
  {
    id: 'output_gate_missing_to_cell',
    tensors: GRADIENTS,
    explanation: 'On the way from h to the cell state the output gate is missing.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + …',
    ways: [{ steps: { throughHidden: () => (unit) => 1 - Math.tanh(unit.c) ** 2 } }],
  },
  {
    id: 'no_gradient_through_time',
    tensors: GRADIENTS,
    explanation: 'No gradient comes back from later steps, neither through the hidden nor through the cell state.',
    fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1), dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step',
    ways: [{ steps: { handedOn: () => () => 0, carry: () => () => 0 } }],
  },
  {
    id: 'gate_derivatives_missing',
    tensors: GRADIENTS,
    explanation: 'The derivatives of the nonlinearities are missing: of all four gates, or of the three sigmoids.',
    fix: 'multiply by i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      { steps: derivativesOf(() => 1) },
      { steps: { ...derivativesOf(() => 1), cellDerivative: (s) => steps.cellDerivative(s) } },
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
      { steps: derivativesOf(slopeOfPreactivation) },
      // Of one gate alone.
      ...DERIVATIVES.map((name, gate) => ({
        steps: { [name]: () => (unit: Unit) => slopeOfPreactivation(unit, gate) },
      })),
      {
        steps: derivativesOf(({ a }, gate) =>
          gate === 2 ? 1 - Math.tanh(a[2]) ** 2 : sigmoid(a[gate]) * (1 - sigmoid(a[gate])),
        ),
      },
    ],
  },
  {
    id: 'cell_gate_derivative_without_square',
    tensors: GRADIENTS,
    explanation: "The cell gate's derivative was taken as 1 − g.",
    fix: 'multiply by 1 − g²',
    ways: [{ steps: { cellDerivative: () => (unit) => 1 - unit.a[2] } }],
  },
  {
    id: 'derivatives_all_of_sigmoid',
    tensors: GRADIENTS,
    explanation: "The cell gate's derivative was taken as that of a sigmoid, g · (1 − g).",
    fix: 'multiply by 1 − g²',
    ways: [{ steps: { cellDerivative: slopeOfSigmoid(2) } }],
  },
  {
    id: 'sigmoid_for_cell_gate',
    tensors: ALL,
    explanation: 'All four gates are sigmoids; the cell gate is a tanh.',
    fix: 'g = tanh(z_g)',
    ways: [
      { steps: { activate: () => sigmoid } },
      { steps: { activate: () => sigmoid, cellDerivative: slopeOfSigmoid(2) } },
    ],
  },
  {
    id: 'tanh_for_all_gates',
    tensors: OUTPUTS,
    explanation: 'All four gates are tanh; the input, forget and output gates are sigmoids.',
    fix: 'i = σ(z_i), f = σ(z_f), o = σ(z_o)',
    ways: [{ steps: { activate: () => Math.tanh } }],
  },
  {
    id: 'forget_gate_coupled',
    tensors: OUTPUTS,
    explanation: 'The forget gate is 1 − i.',
    fix: 'c_t = f · c_(t−1) + i · g, with a forget gate of its own',
    ways: [{ steps: { cell: () => (a, cBefore) => (1 - a[0]) * cBefore + a[0] * a[2] } }],
  },
  {
    id: 'forget_gate_left_out',
    tensors: OUTPUTS,
    explanation: 'The forget gate was left out: c_t = c_(t−1) + i · g.',
    fix: 'c_t = f · c_(t−1) + i · g',
    ways: [{ steps: { cell: () => (a, cBefore) => cBefore + a[0] * a[2] } }],
  },
  {
    id: 'input_and_forget_exchanged_in_cell',
    tensors: OUTPUTS,
    explanation: 'The input gate weighs the past and the forget gate what is new.',
    fix: 'c_t = f · c_(t−1) + i · g',
    ways: [{ steps: { cell: () => (a, cBefore) => a[0] * cBefore + a[1] * a[2] } }],
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
    id: 'gates_in_another_order',
    tensors: ALL,
    explanation: 'The gates were read in another order.',
    fix: 'the order is input, forget, cell, output',
    ways: otherOrders
      .filter((names) => !NAMED_ORDERS.includes(names))
      .map((names) => ({
        explanation: `The gates were read in the order ${names.split('').join(', ')}.`,
        steps: { order: () => orderOf(names) },
      })),
  },
  {
    id: 'gradient_gates_in_another_order',
    tensors: ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'],
    explanation: 'The gradients of the gates are right, but stand in another order than the gates of the weights.',
    fix: 'the order is input, forget, cell, output',
    ways: otherOrders.map((names) => ({
      explanation: `The gradients of the gates are right, but stand in the order ${names.split('').join(', ')}.`,
      steps: { gradientOrder: () => orderOf(names) },
    })),
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

export const lstm = defineChecks<Given, LstmMade>({
  layer,
  given: (call) => recurrentGiven(call, 4),
  steps,
  mistakes,
  slowness: 75,
  axes: recurrentAxes('gate row'),
  constants: recurrentConstants,
  readings: recurrentReadings,
  example: (numbers, needs) => recurrentExample(numbers, needs, 4),
});
