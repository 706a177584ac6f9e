/** Known mistakes in lstm, in addition to those of all recurrent layers. Gates: input, forget, cell, output. */
import { lstm as layer } from '../../layers/lstm.js';
import { lstm as bounds } from '../bounds/lstm.js';
import { defineChecks, sharing, type Mistake, type Steps } from '../definition.js';
import { recurrentChecks } from './recurrence/instance.js';
import { recurrentMistakes } from './recurrence/mistakes.js';
import { recurrentSteps, type Given, type Made, type Unit } from './recurrence/steps.js';

const OUTPUTS = ['out', 'h_n', 'c_n'];
const GRADIENTS = ['dx', 'dh0', 'dc0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const ALL = [...OUTPUTS, ...GRADIENTS];

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** The parts of a unit that a mistake may change, forward and backward. Each is a step, so that two can change at once. */
interface Parts {
  readonly activate: (z: number, gate: number) => number;
  readonly cell: (a: readonly number[], cBefore: number) => number;
  readonly hidden: (o: number, c: number) => number;

  /** The derivative of h with respect to the cell state. */
  readonly throughHidden: (unit: Unit) => number;
  /** The gradient of the cell state, from the part of the later step and the part through h. */
  readonly cellGradient: (later: number, throughHidden: number) => number;
  /** For each gate, the factor of the gradient of the cell state, or of h for the output gate. */
  readonly inputFactor: (unit: Unit) => number;
  readonly forgetFactor: (unit: Unit) => number;
  readonly cellFactor: (unit: Unit) => number;
  readonly outputFactor: (unit: Unit) => number;
  /** Derivatives of the gates' nonlinearities. */
  readonly inputDerivative: (unit: Unit) => number;
  readonly forgetDerivative: (unit: Unit) => number;
  readonly cellDerivative: (unit: Unit) => number;
  readonly outputDerivative: (unit: Unit) => number;
  /** The gradient of the cell state that is passed to the previous step. */
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

/** The order of the gates: order[gate] is the block of a weight that the gate uses. */
const orderOf = (names: string) => LETTERS.map((letter) => names.indexOf(letter));

const gateOrder = (names: string, who: string): LstmMistake => ({
  id: `gates_${names.split('').join('_')}`,
  tensors: ALL,
  explanation: `The gates were read in the order ${names.split('').join(', ')}, as in ${who}.`,
  fix: 'the order is input, forget, cell, output',
  steps: { order: () => orderOf(names) },
});

function permutations(rest: readonly string[]): string[] {
  if (rest.length === 0) return [''];
  return rest.flatMap((letter) => permutations(rest.filter((other) => other !== letter)).map((end) => letter + end));
}

const otherOrders = permutations(LETTERS).filter((names) => names !== 'ifco');

/** The orders that are listed as separate mistakes because they are in use elsewhere. */
const NAMED_ORDERS = ['iofc', 'icfo', 'fico', 'ifoc'];

const derivativeMissing = (gate: number, name: string, derivative: string): LstmMistake => ({
  id: `${name}_derivative_missing`,
  tensors: GRADIENTS,
  explanation: `The gradient of the ${name.replaceAll('_', ' ')} was not multiplied by the derivative of its nonlinearity.`,
  fix: `multiply by ${derivative}`,
  steps: { [DERIVATIVES[gate]]: () => () => 1 },
});

/** The derivative computed from the pre-activation of a gate instead of its activation. */
const slopeOfPreactivation = ({ z }: Unit, gate: number) => (gate === 2 ? 1 - z[gate] ** 2 : z[gate] * (1 - z[gate]));

/** The bias gradients with one gate's in place of another's. */
const copied = (from: number, to: number) => (s: State) => {
  const R = 4 * s.H;
  return s.dbias.map((value, r) => {
    const row = r % R;
    return Math.floor(row / s.H) === to ? s.dbias[r - row + from * s.H + (row % s.H)] : value;
  });
};

const mistakes: readonly LstmMistake[] = sharing({ tensors: GRADIENTS }, [
  {
    id: 'cell_gradient_assigned',
    explanation:
      'The gradient of the cell state has only the path through h: it is assigned (=) where it should be accumulated (+=).',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'no gradient of the cell state comes from later',
    steps: { cellGradient: () => (_, throughHidden) => throughHidden },
  },
  {
    id: 'hidden_path_to_cell_missing',
    explanation: 'The gradient of the cell state lacks the path through h.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    steps: { cellGradient: () => (later) => later },
  },
  {
    id: 'forget_gate_missing_in_carry',
    explanation: "The cell state's gradient was passed to the previous step without the forget gate.",
    fix: 'dc_(t−1) = dc_t · f_t',
    steps: { carry: () => (dcell) => dcell },
  },
  {
    id: 'input_gate_in_carry',
    explanation: "The cell state's gradient was passed to the previous step through the input or output gate.",
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
    explanation: "The forget gate's gradient was computed with c_t, the cell state after the step.",
    fix: 'df = dc_t · c_(t−1)',
    steps: { forgetFactor: () => (unit) => unit.c },
  },
  {
    id: 'output_gradient_without_tanh',
    explanation: "The output gate's gradient was computed with c_t, not with tanh(c_t).",
    fix: 'do = dh_t · tanh(c_t)',
    steps: { outputFactor: () => (unit) => unit.c },
  },
  {
    id: 'input_and_cell_factors_exchanged',
    explanation: 'The gradient of the input gate was computed with i, and that of the cell gate with g.',
    fix: 'di = dc_t · g, dg = dc_t · i',
    steps: { inputFactor: () => (unit) => unit.a[0], cellFactor: () => (unit) => unit.a[2] },
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
    explanation: 'The derivative of tanh is missing on the path from h to the cell state.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + …',
    ways: [
      { steps: { throughHidden: () => (unit) => unit.a[3] } },
      { steps: { throughHidden: () => (unit) => unit.a[3] * (1 - unit.c ** 2) } },
    ],
  },
  {
    id: 'output_gate_missing_to_cell',
    explanation: 'The output gate is missing on the path from h to the cell state.',
    fix: 'dc_t = dh_t · o · (1 − tanh²(c_t)) + …',
    steps: { throughHidden: () => (unit) => 1 - Math.tanh(unit.c) ** 2 },
  },
  {
    id: 'no_gradient_through_time',
    explanation: 'No gradient flows back from later steps, through either the hidden or the cell state.',
    fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1), dc_t = dh_t · o · (1 − tanh²(c_t)) + dc_(t+1) · f_(t+1)',
    hidden: 'there is one step',
    steps: { handedOn: () => () => 0, carry: () => () => 0 },
  },
  {
    id: 'gate_derivatives_missing',
    explanation: 'The derivatives of the nonlinearities are missing, for all four gates or for the three sigmoids.',
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
    explanation:
      'The derivatives of sigmoid and tanh were computed as z · (1 − z) and 1 − z², from the pre-activations.',
    fix: 'i · (1 − i), f · (1 − f), 1 − g², o · (1 − o)',
    ways: [
      { steps: derivativesOf(slopeOfPreactivation) },
      // Only for one gate.
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
    explanation: "The cell gate's derivative was computed as 1 − g.",
    fix: 'multiply by 1 − g²',
    steps: { cellDerivative: () => (unit) => 1 - unit.a[2] },
  },
  {
    id: 'derivatives_all_of_sigmoid',
    explanation: "The cell gate's derivative was computed as that of a sigmoid, g · (1 − g).",
    fix: 'multiply by 1 − g²',
    steps: { cellDerivative: slopeOfSigmoid(2) },
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
    steps: { activate: () => Math.tanh },
  },
  {
    id: 'forget_gate_coupled',
    tensors: OUTPUTS,
    explanation: 'The forget gate is 1 − i.',
    fix: 'c_t = f · c_(t−1) + i · g, with a separate forget gate',
    steps: { cell: () => (a, cBefore) => (1 - a[0]) * cBefore + a[0] * a[2] },
  },
  {
    id: 'forget_gate_left_out',
    tensors: OUTPUTS,
    explanation: 'The forget gate was left out: c_t = c_(t−1) + i · g.',
    fix: 'c_t = f · c_(t−1) + i · g',
    steps: { cell: () => (a, cBefore) => cBefore + a[0] * a[2] },
  },
  {
    id: 'input_and_forget_exchanged_in_cell',
    tensors: OUTPUTS,
    explanation: 'The input gate multiplies the previous cell state, and the forget gate the new values.',
    fix: 'c_t = f · c_(t−1) + i · g',
    steps: { cell: () => (a, cBefore) => a[0] * cBefore + a[1] * a[2] },
  },
  {
    id: 'forget_bias_added',
    tensors: ALL,
    explanation: 'A bias of 1 was added to the forget gate.',
    fix: 'do not add it: a caller who wants a forget bias puts it into the parameter',
    given: ({ biasIh, H }) => ({
      biasIh: biasIh.map((value, r) => (Math.floor((r % (4 * H)) / H) === 1 ? value + 1 : value)),
    }),
  },
  {
    id: 'cell_state_for_hidden_state',
    tensors: OUTPUTS,
    explanation: 'The cell state was fed back into the gates instead of the hidden state.',
    fix: 'z_t = weight_ih · x_t + weight_hh · h_(t−1) + …',
    steps: { recurrent: () => (_, c) => c },
  },
  {
    id: 'dc_n_ignored',
    explanation: 'dc_n, the gradient of the last cell state, was ignored.',
    fix: 'start the backward pass with dc = dc_n',
    hidden: 'dc_n is 0',
    given: ({ dcLast }) => ({ dcLast: new Float64Array(dcLast.length) }),
  },
  {
    id: 'c0_ignored',
    tensors: ALL,
    explanation: 'c0 was ignored: the initial cell state was zero.',
    fix: 'c_1 = f · c0 + i · g',
    hidden: 'c0 is 0',
    given: ({ c0 }) => ({ c0: new Float64Array(c0.length) }),
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
    explanation: 'The gradients of the gates are correct, but in another order than the gates of the weights.',
    fix: 'the order is input, forget, cell, output',
    ways: otherOrders.map((names) => ({
      explanation: `The gradients of the gates are correct, but in the order ${names.split('').join(', ')}.`,
      steps: { gradientOrder: () => orderOf(names) },
    })),
  },
  {
    id: 'bias_gradient_copied',
    tensors: ['dbias_ih', 'dbias_hh'],
    explanation: "One gate's bias gradient was also used for another gate.",
    fix: 'each gate has its own: dbias = Σ_t dz_t, with all four blocks',
    ways: [0, 1, 2, 3].flatMap((from) =>
      [0, 1, 2, 3]
        .filter((to) => to !== from)
        .map((to) => ({ steps: { dbias_ih: copied(from, to), dbias_hh: copied(from, to) } })),
    ),
  },
]);

export const lstm = defineChecks<Given, LstmMade>({
  layer,
  bounds,
  ...recurrentChecks('lstm', 'gate row'),
  steps,
  mistakes: [...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }), ...mistakes],
  slowness: 75,
  blocks: { 'gate row': ['input gate', 'forget gate', 'cell gate', 'output gate'] },
});
