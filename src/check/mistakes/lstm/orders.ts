/** Mistakes in the order of the gates of an lstm: in weights, in their gradients, and together with a forget bias. */
import { recurrentSizes } from '../../../formulas/layers/recurrence.js';
import type { Mistake } from '../../define.js';
import type { Way } from '../../written.js';

type Given = NonNullable<Way['given']>;

/** The names of the gates in orders, and in formulas. */
const LETTERS = ['i', 'f', 'c', 'o'];
const GATES = ['i', 'f', 'g', 'o'];

const FIX = 'the order is input, forget, cell, output';

function permutations(rest: readonly string[]): string[] {
  if (rest.length === 0) return [''];
  return rest.flatMap((letter) => permutations(rest.filter((other) => other !== letter)).map((end) => letter + end));
}

const otherOrders = permutations(LETTERS).filter((names) => names !== 'ifco');

/** The orders that are in use elsewhere. */
const NAMED_ORDERS: Readonly<Record<string, string>> = {
  iofc: 'ONNX',
  icfo: 'TensorFlow’s BasicLSTMCell',
  fico: 'some textbooks',
  ifoc: 'some textbooks and courses',
};

const listed = (names: string) => {
  const who = names in NAMED_ORDERS ? `, as in ${NAMED_ORDERS[names]}` : '';
  return `in the order ${names.split('').join(', ')}${who}`;
};

/** Each gate reads the block where another order has it. */
const gatesIn =
  (names: string): Given =>
  (instance) => {
    const { H } = recurrentSizes(instance);
    const rows = (letter: string) => Int32Array.from({ length: H }, (_, j) => names.indexOf(letter) * H + j);
    return { given: Object.fromEntries(GATES.map((gate, i) => [`row_${gate}`, rows(LETTERS[i])])) };
  };

/** @param blocks the block of dz that counts as each block of a weight's gradient */
const gradientRows =
  (blocks: readonly number[]): Given =>
  (instance) => {
    const { H } = recurrentSizes(instance);
    return {
      given: { gate_row: Int32Array.from({ length: 4 * H }, (_, r) => blocks[Math.floor(r / H)] * H + (r % H)) },
    };
  };

const DZ_OF_ROW = 'dz[d,n,t,gate_row]';
const DBIAS = [`dbias_ih = Σ_nt ${DZ_OF_ROW}`, `dbias_hh = Σ_nt ${DZ_OF_ROW}`];

const gateOrder = (names: string, tensors: readonly string[]): Mistake => ({
  id: `gates_${names.split('').join('_')}`,
  tensors,
  explanation: `The gates were read ${listed(names)}.`,
  fix: FIX,
  given: gatesIn(names),
});

/** @param all the tensors of the layer */
export const gateOrders = (all: readonly string[]): readonly Mistake[] => [
  ...Object.keys(NAMED_ORDERS).map((names) => gateOrder(names, all)),
  {
    id: 'gates_in_another_order',
    tensors: all,
    explanation: 'The gates were read in another order.',
    fix: FIX,
    ways: otherOrders
      .filter((names) => !(names in NAMED_ORDERS))
      .map((names) => ({ explanation: `The gates were read ${listed(names)}.`, given: gatesIn(names) })),
  },
  {
    id: 'gradient_gates_in_another_order',
    tensors: ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'],
    explanation: 'The gradients of the gates are correct, but in another order than the gates of the weights.',
    fix: FIX,
    ways: otherOrders.map((names) => ({
      explanation: `The gradients of the gates are correct, but in the order ${names.split('').join(', ')}.`,
      formulas: [`dweight_ih = Σ_nt ${DZ_OF_ROW} · x_t`, `dweight_hh = Σ_nt ${DZ_OF_ROW} · h[d,n,t−1,k]`, ...DBIAS],
      given: gradientRows(names.split('').map((letter) => LETTERS.indexOf(letter))),
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
        .map((to) => ({
          formulas: DBIAS,
          given: gradientRows([0, 1, 2, 3].map((block) => (block === to ? from : block))),
        })),
    ),
  },
  {
    id: 'forget_bias_and_gate_order',
    tensors: all,
    explanation: 'The gates were read in another order, and a bias of 1 was added to the forget gate.',
    fix: `${FIX}; a forget bias belongs in the parameter`,
    ways: otherOrders.map((names) => ({
      explanation: `A bias of 1 was added to the forget gate, and the gates were read ${listed(names)}.`,
      formulas: ['f = σ(z_f + 1)'],
      given: gatesIn(names),
    })),
  },
];
